import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBatchStarter } from '../../../api/batches/batch-starter.ts';
import type { ValidationOutcome } from '../../../core/contracts/batch.ts';
import { openTestTemporal, type TestTemporal } from '../../support/temporal.ts';

let temporal: TestTemporal;
let validated: string[] = [];
let hangs = false;
let expires = false;
let runs = 0;

/** A cancellation travels with a heartbeat. */
const untilCancelled = async (): Promise<never> => {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 50);
  return context.cancelled.finally(() => clearInterval(beat));
};

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    validateBatch: async ({ batchId }: { batchId: string }): Promise<ValidationOutcome> => {
      validated.push(batchId);
      if (hangs || expires) return untilCancelled();
      return { valid: true, chunks: 0 };
    },
    finalizeBatch: async ({ reason }: { reason: string }) => reason,
    announceBatch: async () => null,
  });
});
afterAll(() => temporal.release());
beforeEach(() => {
  runs += 1;
  validated = [];
  hangs = false;
  expires = false;
});

const starter = () => createBatchStarter({ client: temporal.environment.client, searchable: false });
const batch = () => ({
  _id: `batch_${runs}`,
  ownerId: 'key_1',
  expiresAt: Date.now() + (expires ? 500 : 3_600_000),
  endpoint: '/v1/chat/completions' as const,
});
const handle = () => temporal.environment.client.workflow.getHandle(`batch_${runs}`);
const status = async (): Promise<string> => (await handle().describe()).status.name;

describe('a batch that is started once more', () => {
  it.each(['completed', 'cancelled', 'expired'])('stays as it is when its workflow is over: %s', async (end) => {
    hangs = end === 'cancelled';
    expires = end === 'expired';
    await starter().startBatch(batch());
    const { runId } = await handle().describe();
    if (end === 'cancelled') await starter().cancelBatch(batch()._id);
    await handle().result();
    await starter().startBatch(batch());
    expect(await status()).toBe('COMPLETED');
    expect((await handle().describe()).runId).toBe(runId);
  });

  it('runs again when its workflow was terminated before its end', async () => {
    hangs = true;
    await starter().startBatch(batch());
    await expect.poll(() => validated.length).toBe(1);
    await handle().terminate('lost');
    expect(await status()).toBe('TERMINATED');
    hangs = false;
    await starter().startBatch(batch());
    await handle().result();
    expect(validated).toHaveLength(2);
    expect(await status()).toBe('COMPLETED');
  });
});
