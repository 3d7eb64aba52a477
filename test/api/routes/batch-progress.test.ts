import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchProgress } from '../../../core/wire/batch-progress.ts';
import { NO_USAGE } from '../../../core/token-usage.ts';
import { tallyByLane } from '../../../store/lane-tallies.ts';
import { result, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const LANE = '0a1b2c3d4e5f';

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
  await api.lanes.insert({ ...plantLaneDoc('home'), _id: LANE });
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const ask = (path: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> =>
  fetch(`${api.url}/v1/batches/${path}`, {
    headers: { authorization: `Bearer ${api.secret}`, ...headers },
    ...(signal === undefined ? {} : { signal }),
  });
const progressOf = async (id: string): Promise<BatchProgress> =>
  (await (await ask(`${id}/progress`)).json()) as BatchProgress;

/** A batch that runs, and lines of it that are done. */
async function running(count: number): Promise<string> {
  const file = await api.putFile(rows(count), { ownerId: api.ownerId });
  const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId });
  await api.validateBatch({ batchId: _id });
  return _id;
}
async function finish(batchId: string, lines: readonly number[], pace?: number): Promise<void> {
  const done = lines.map((line) => result(batchId, line, { laneId: LANE, costMicros: 0, meterMicros: 250_000 }));
  await api.results.insertMany(done);
  await api.batches.addCounts(batchId, {
    completed: lines.length,
    failed: 0,
    duplicates: 0,
    usage: NO_USAGE,
    byLane: tallyByLane(done),
    ...(pace === undefined ? {} : { pace: { at: api.clock.now(), lines: pace } }),
  });
}

/** The events of a stream as they come. */
async function* eventsOf(response: Response): AsyncGenerator<BatchProgress, void, undefined> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      expect(block).toMatch(/^event: progress\ndata: \{.*\}$/);
      yield JSON.parse(block.slice(block.indexOf('{'))) as BatchProgress;
    }
  }
}

describe('GET /v1/batches/{id}/progress', () => {
  it('tells lines by lane, rate, expected end and what it cost', async () => {
    const batchId = await running(20);
    api.clock.advance(10_000);
    await finish(batchId, [1, 2, 3, 4, 5], 5);
    const now = Math.floor(api.clock.now() / 1000);
    expect(await progressOf(batchId)).toEqual({
      object: 'batch.progress',
      batch_id: batchId,
      status: 'in_progress',
      lines: { total: 20, completed: 5, failed: 0, waiting: 15 },
      by_lane: [
        {
          lane: LANE,
          account: 'home',
          completed: 5,
          failed: 0,
          cost_usd: 0,
          meter_usd: 1.25,
          unpriced_lines: 0,
        },
      ],
      rate_per_second: 0.5,
      expected_end: now + 30,
      expires_at: now - 10 + 86_400,
      waiting_until: null,
      waiting_why: null,
      paused: false,
      priority: 'normal',
      retry_of: null,
      cost_usd: 0,
      meter_usd: 1.25,
      unpriced_lines: 0,
      updated_at: now,
    });
  });

  it('forgets what was done more than a minute ago, and expects no end when nothing is done', async () => {
    const batchId = await running(4);
    await finish(batchId, [1], 1);
    api.clock.advance(61_000);
    expect(await progressOf(batchId)).toMatchObject({ rate_per_second: 0, expected_end: null });
  });

  it('is exact at the end, also of lines whose running count was lost', async () => {
    const batchId = await running(4);
    await finish(batchId, [1, 2]);
    await api.results.insertOnce(result(batchId, 3, { laneId: LANE, costMicros: null, meterMicros: null }));
    await api.finalizeBatch({ batchId, reason: 'expired' });
    const { request_counts: counts } = await api.client.batches.retrieve(batchId);
    const progress = await progressOf(batchId);
    expect(progress).toMatchObject({ status: 'expired', lines: { ...counts, waiting: 0 }, rate_per_second: null });
    expect(progress.by_lane).toMatchObject([
      { lane: LANE, completed: 3, failed: 0, cost_usd: 0, meter_usd: 0.5, unpriced_lines: 1 },
      { lane: null, account: null, completed: 0, failed: 1, cost_usd: 0, unpriced_lines: 0 },
    ]);
  });

  it('is nobody else’s', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: 'key_of_somebody' });
    for (const path of [`${_id}/progress`, `${_id}/progress?stream=true`, 'batch_none/progress']) {
      expect((await ask(path)).status).toBe(404);
    }
  });
});

describe('the stream of progress', () => {
  it('tells each change, grows only, and ends with the end of the batch', async () => {
    const batchId = await running(6);
    const seen: BatchProgress[] = [];
    const response = await ask(`${batchId}/progress`, { accept: 'text/event-stream' });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    for await (const event of eventsOf(response)) {
      seen.push(event);
      const done = event.lines.completed;
      if (event.status === 'in_progress' && done < 6) await finish(batchId, [done + 1, done + 2]);
      else if (event.status === 'in_progress') void api.finalizeBatch({ batchId, reason: 'completed' });
    }
    const completed = seen.map(({ lines }) => lines.completed);
    expect(completed).toEqual(completed.toSorted((a, b) => a - b));
    expect(completed.slice(0, 4)).toEqual([0, 2, 4, 6]);
    expect(seen.at(-1)).toMatchObject({
      status: 'completed',
      lines: { total: 6, completed: 6, failed: 0, waiting: 0 },
    });
  });

  it('ends at once for a batch that is over', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: api.ownerId, status: 'failed' });
    const seen: string[] = [];
    for await (const { status } of eventsOf(await ask(`${_id}/progress?stream=true`))) seen.push(status);
    expect(seen).toEqual(['failed']);
  });
});
