import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBatchStarter } from '../../../api/batches/batch-starter.ts';
import { ensureHousekeepingSchedule, HOUSEKEEPING_ID } from '../../../api/temporal/housekeeping-schedule.ts';
import { ensureSearchAttributes } from '../../../api/temporal/search-attributes.ts';
import { keptLog } from '../../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../../support/temporal.ts';

let temporal: TestTemporal;
const rounds: number[] = [];
let validated: () => void;
const validation = new Promise<void>((resolve) => (validated = resolve));

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    housekeep: async () => ({ files: rounds.push(1) }),
    validateBatch: async ({ batchId }: { batchId: string }) => {
      if (batchId === 'batch_slow') await validation;
      if (batchId === 'batch_over') return { valid: false, over: 'expired' };
      return batchId === 'batch_bad' ? { valid: false } : { valid: true, chunks: 0 };
    },
    finalizeBatch: async () => 'completed',
    announceBatch: async () => null,
  });
});
afterAll(() => temporal.release());

const client = () => temporal.environment.client;

/** Ids of the batches that a search finds. */
async function found(query: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of client().workflow.list({ query })) ids.push(workflowId);
  return ids.sort();
}

describe('the schedule of the housekeeping', () => {
  it('is made once by any number of processes, runs the workflow, and stays paused when its owner paused it', async () => {
    const { log, lines } = keptLog();
    await Promise.all([1, 2, 3].map(() => ensureHousekeepingSchedule({ client: client(), log })));
    expect(lines).toEqual([]);
    const handle = client().schedule.getHandle(HOUSEKEEPING_ID);
    const { spec, policies, state } = await handle.describe();
    expect(spec.intervals).toMatchObject([{ every: 15 * 60_000 }]);
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 60_000 });
    expect(state.paused).toBe(false);
    await handle.trigger();
    await expect.poll(() => rounds.length).toBe(1);
    await handle.pause('by its owner');
    await ensureHousekeepingSchedule({ client: client(), log });
    expect((await handle.describe()).state).toMatchObject({ paused: true, note: 'by its owner' });
    expect(lines).toEqual([]);
  });

  it('that can not be made is said, and stops nobody', async () => {
    const { log, lines } = keptLog();
    const schedule = { create: () => Promise.reject(new Error('not permitted')) };
    await ensureHousekeepingSchedule({ client: { schedule } as never, log });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('nothing is removed from the disk');
  });
});

describe('search attributes', () => {
  const starter = (searchable: boolean) => createBatchStarter({ client: client(), searchable });
  const batch = (_id: string, ownerId: string) =>
    ({ _id, ownerId, expiresAt: Date.now() + 3_600_000, endpoint: '/v1/chat/completions' }) as const;

  it('do not keep a batch from starting on a server that does not know them', async () => {
    await starter(true).startBatch(batch('batch_plain', 'key_plain'));
    await client().workflow.getHandle('batch_plain').result();
  });

  it('that the server does not take are left out, with a warning', async () => {
    const { log, lines } = keptLog();
    const operatorService = { listSearchAttributes: () => Promise.reject(new Error('not permitted')) };
    const refusing = { connection: { operatorService }, options: client().options } as never;
    expect(await ensureSearchAttributes({ client: refusing, log })).toBe(false);
    expect(lines).toHaveLength(1);
  });

  it('find the batches of a key by their state, through the search of Temporal', async () => {
    const { log, lines } = keptLog();
    for (let time = 0; time < 2; time++) expect(await ensureSearchAttributes({ client: client(), log })).toBe(true);
    expect(lines).toEqual([]);
    // Other parts of the server learn of new attributes within some seconds: until then batches start without.
    let tries = 0;
    await expect
      .poll(
        async () => {
          await starter(true).startBatch(batch(`batch_try_${tries++}`, 'key_try'));
          return (await found('FlatlaneKey = "key_try"')).length;
        },
        { timeout: 50_000, interval: 500 },
      )
      .toBeGreaterThan(0);
    await starter(true).startBatch(batch('batch_good', 'key_mine'));
    await starter(true).startBatch(batch('batch_bad', 'key_mine'));
    await starter(true).startBatch(batch('batch_slow', 'key_mine'));
    await starter(true).startBatch(batch('batch_other', 'key_other'));
    await expect.poll(() => found('FlatlaneKey = "key_mine" AND FlatlaneStatus = "completed"')).toEqual(['batch_good']);
    await expect.poll(() => found('FlatlaneKey = "key_mine" AND FlatlaneStatus = "failed"')).toEqual(['batch_bad']);
    await expect
      .poll(() => found('FlatlaneKey = "key_mine" AND FlatlaneStatus = "validating"'))
      .toEqual(['batch_slow']);
    expect(await found('FlatlaneKey = "key_mine"')).toEqual(['batch_bad', 'batch_good', 'batch_slow']);
    expect(await found('FlatlaneBatch = "batch_other"')).toEqual(['batch_other']);
    await starter(true).startBatch(batch('batch_over', 'key_over'));
    await expect.poll(() => found('FlatlaneBatch = "batch_over" AND FlatlaneStatus = "expired"')).toHaveLength(1);
    validated();
    await expect.poll(() => found('FlatlaneBatch = "batch_slow" AND FlatlaneStatus = "completed"')).toHaveLength(1);
  });
});
