import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newBatchId } from '../../core/ids.ts';
import { newBatch } from '../../store/batches.ts';
import { startApart, type Apart } from '../support/apart.ts';
import { batchLine, checkFinishedBatch, isOver, lineIds, startBatch, waitForBatch } from '../support/batch-run.ts';
import { PATIENT } from '../support/patience.ts';

const MODEL = 'key-model';
const LINES = 60;
const WHOLE = { completed: LINES, failed: 0, lost: [], twice: [], strangers: [], unbalanced: [], paidTwice: 0 };

/** The sweep for lost batches comes every half minute. */
const SWEPT_MS = 90_000;

describe('when the api is killed', () => {
  let apart: Apart;

  beforeAll(async () => {
    apart = await startApart({});
    const { admin, openai } = apart;
    const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 8 });
    await admin.setRoute(MODEL, [key]);
  });
  afterAll(() => apart.stop());

  it('finishes what a caller waits for, once, and keeps the answer', async () => {
    const { openaiClient, openai, stores } = apart;
    const content = '[[delay:3000]] who waits for this?';
    const waiting = openaiClient.chat.completions
      .create(
        { model: MODEL, messages: [{ role: 'user', content }] },
        // With a key to repeat it by, the work is durable; without one, on key lanes alone, it is this process's own.
        { maxRetries: 0, headers: { 'Idempotency-Key': 'kill-1' } },
      )
      .catch((error: unknown) => error);
    await expect.poll(() => openai.counts().calls).toBe(1);
    await apart.replaceApi();
    expect(await waiting).toBeInstanceOf(Error);
    const entries = await vi.waitFor(async () => {
      const found = await stores.laneLog.list({ limit: 10 });
      expect(found).toHaveLength(1);
      return found;
    }, PATIENT);
    expect(entries).toMatchObject([{ kind: 'request', status: 'answered' }]);
    expect((await stores.requests.find(entries[0]?._id ?? ''))?.result).toMatchObject({ status: 200 });
    expect(await stores.ledger.listOfItem(entries[0]?._id ?? '')).toHaveLength(1);
    expect(openai.counts().calls).toBe(1);
  });

  it('goes on with a batch, and answers for it again', async () => {
    const { openaiClient, openai, stores } = apart;
    openai.script({ delayMs: 100 });
    const ids = lineIds(LINES);
    const { id } = await startBatch(
      openaiClient,
      ids.map((line) => batchLine(line, MODEL)),
    );
    await apart.replaceApi();
    const batch = await waitForBatch(openaiClient, id, isOver);
    expect(batch.status).toBe('completed');
    expect(await checkFinishedBatch(openaiClient, stores, batch, ids)).toMatchObject(WHOLE);
  });

  it(
    'starts a batch that was stored and not started',
    async () => {
      const { openaiClient, stores } = apart;
      const ids = lineIds(LINES);
      const started = await startBatch(
        openaiClient,
        ids.map((line) => batchLine(line, MODEL)),
      );
      await waitForBatch(openaiClient, started.id, isOver);
      const like = await stores.batches.find(started.id);
      if (like === null) throw new Error('the batch is gone');
      // As a kill between the two steps of a create leaves it.
      const lost = newBatch({ ...like, _id: newBatchId(), createdAt: Date.now() - 60_000 });
      await stores.batches.insert({ ...lost, inputFileId: like.inputFileId });
      await apart.replaceApi();
      const batch = await waitForBatch(openaiClient, lost._id, isOver, SWEPT_MS);
      expect(batch.status).toBe('completed');
      expect(await checkFinishedBatch(openaiClient, stores, batch, ids)).toMatchObject(WHOLE);
    },
    SWEPT_MS + 30_000,
  );
});
