import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { pidOf } from '../support/fault-run.ts';
import { recordFault } from '../support/fault-table.ts';
import { PATIENT } from '../support/patience.ts';

const MODEL = 'key-model';
const AT_A_TIME = 8;
const BEFORE = 200;
/** Within the second for which an api needs no database to know a key and its lanes. */
const WITHOUT_DATABASE_MS = 400;

let apart: Apart;

beforeAll(async () => {
  apart = await startApart({});
  const { admin, openai } = apart;
  const lane = { alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: AT_A_TIME };
  await admin.setRoute(MODEL, [await admin.addKeyLane(lane)]);
});
afterAll(() => apart.stop());

interface Answered {
  readonly requestId: string;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

/** Asks, some at a time, until it is enough or the api is gone. Resolves with the requests that were answered. */
async function askUntil(isEnough: () => boolean, answered: Answered[] = []): Promise<Answered[]> {
  const askOn = async (): Promise<void> => {
    while (!isEnough()) {
      const messages = [{ role: 'user' as const, content: 'good morning' }];
      const { response } = await apart.openaiClient.chat.completions
        .create({ model: MODEL, messages }, { maxRetries: 0 })
        .withResponse();
      answered.push({ requestId: response.headers.get('x-request-id') ?? '', at: performance.now() });
    }
  };
  await Promise.allSettled(Array.from({ length: AT_A_TIME }, askOn));
  return answered;
}

it('has every answer of the direct path in its books once, when the api is killed while the database is away', async () => {
  const { mongodb, openai, stores } = apart;
  const answered: Answered[] = [];
  const asking = askUntil(() => false, answered);
  await vi.waitFor(() => expect(answered.length).toBeGreaterThanOrEqual(BEFORE), { ...PATIENT, interval: 5 });
  // From here on the database takes nothing: what is answered is in the journal alone.
  process.kill(pidOf(mongodb), 'SIGSTOP');
  const stoodStillAt = performance.now();
  await sleep(WITHOUT_DATABASE_MS);
  await apart.api.kill();
  process.kill(pidOf(mongodb), 'SIGCONT');
  await asking;
  expect(answered.filter(({ at }) => at > stoodStillAt)).not.toEqual([]);
  const killedAt = performance.now();
  await apart.replaceApi();
  await apart.api.waitFor(/"recovered":[1-9]/);
  const recoverySeconds = (performance.now() - killedAt) / 1000;

  const ids = answered.map(({ requestId }) => requestId);
  const log = await stores.laneLog.list({ limit: 2 * openai.counts().calls });
  const logged = new Set(log.map(({ _id }) => _id));
  const lost = ids.filter((id) => !logged.has(id));
  await recordFault({
    fault: 'kill -9 of the api on the direct path, MongoDB standing still',
    lines: ids.length,
    recoverySeconds,
    lost: lost.length,
    twice: log.length - logged.size,
    wasted: openai.counts().calls - ids.length,
  });
  expect(lost).toEqual([]);
  expect(log.length).toBe(logged.size);
  // What was under way at the kill is one call at most for each that asked.
  expect(openai.counts().calls - log.length).toBeLessThanOrEqual(AT_A_TIME);
  for (const { _id, costMicros, status } of log) {
    expect(status).toBe('answered');
    expect((await stores.ledger.listOfItem(_id)).map((row) => row.costMicros)).toEqual([costMicros]);
  }

  // The new process has taken the part of the old one, and its books go on.
  const more: Answered[] = [];
  await askUntil(() => more.length >= AT_A_TIME, more);
  await vi.waitFor(async () => {
    for (const { requestId } of more)
      expect(await stores.laneLog.find(requestId)).toMatchObject({ status: 'answered' });
  }, PATIENT);
});
