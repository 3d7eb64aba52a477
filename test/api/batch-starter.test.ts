import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBatchStarter } from '../../api/batches/batch-starter.ts';
import { createBatchWorld, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { silentLog } from '../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());
afterEach(() => void vi.useRealTimers());

describe('the sweep of lost batches', () => {
  it('starts each batch that is not over, however many older ones run, and cancels those that should be', async () => {
    const started: string[] = [];
    const cancelled: string[] = [];
    const client = {
      workflow: {
        start: async (_type: string, { workflowId }: { workflowId: string }) => {
          started.push(workflowId);
          throw new WorkflowExecutionAlreadyStartedError('runs', workflowId, 'batchWorkflow');
        },
        getHandle: (workflowId: string) => ({ cancel: async () => void cancelled.push(workflowId) }),
      },
    } as unknown as Client;
    const expected: string[] = [];
    for (let index = 0; index < 230; index += 1) {
      // Many of one moment, so that a page ends between them.
      if (index % 150 === 0) world.clock.advance(1);
      expected.push((await world.putBatch('file-x', { status: index === 229 ? 'cancelling' : 'in_progress' }))._id);
    }
    await world.putBatch('file-x', { status: 'completed' });
    world.clock.advance(60_000);
    const young = await world.putBatch('file-x');

    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const starter = createBatchStarter({
      client,
      batches: world.batches,
      clock: world.clock,
      log: silentLog,
      searchable: false,
    });
    starter.startSweep();
    vi.advanceTimersByTime(30_000);
    await starter.stopSweep();
    expect(started.toSorted()).toEqual(expected.toSorted());
    expect(started).not.toContain(young._id);
    expect(cancelled).toEqual([expected[229]]);
  });
});
