import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LineResult, ServeLinesInput } from '../../core/contracts/batch.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchChunkWorkflow } from '../../workflows/batch-chunk.ts';
import { plantFailure, plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

let temporal: TestTemporal;
let settling: number[] = [];
let sealed = 0;
let release: () => void = () => undefined;
const held = new Promise<void>((resolve) => (release = resolve));

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    loadChunk: async () => ({
      models: [
        { model: 'one', lines: [1] },
        { model: 'other', lines: [2] },
      ],
    }),
    planLanesFor: async ({ model }: { model: string }) => ({ model, lanes: [plantLane('plan_lane')] }),
    settleLines: async ({ lines }: { lines: readonly { line: number }[] }) => {
      settling.push(...lines.map(({ line }) => line));
      await held;
    },
    sealChunk: async () => void (sealed += 1),
  });
  await temporal.serveLane('plan_lane', {
    serveLines: async ({ lines: [first] }: ServeLinesInput): Promise<LineResult[]> => {
      if (first?.line !== 1) {
        await vi.waitFor(() => expect(settling).toEqual([1]), PATIENT);
        // No workflow can make anything of that.
        return [null as unknown as LineResult];
      }
      const record = { laneId: 'plan_lane', attempt: 1, reachedUpstream: true, startedAt: 1, durationMs: 1 };
      return [{ line: 1, record: { ...record, outcome: 'unsupported' }, failure: plantFailure('unsupported') }];
    },
  });
});
afterAll(async () => {
  release();
  await temporal.release();
});

describe('a chunk in which a fault of ours comes to light while it settles lines', () => {
  it('stands still until that is mended, and leaves no line out', async () => {
    const handle = await temporal.environment.client.workflow.start<typeof batchChunkWorkflow>('batchChunkWorkflow', {
      workflowId: 'batch_1/chunk-0',
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [{ batchId: 'batch_1', keyId: 'key_1', chunkIndex: 0, expiresAt: Date.now() + 3_600_000 }],
    });
    await vi.waitFor(async () => {
      const { pendingActivities, pendingWorkflowTask } = (await handle.describe()).raw;
      expect(pendingActivities?.map(({ activityType }) => activityType?.name)).toEqual(['settleLines']);
      expect(settling).toEqual([1]);
      expect(pendingWorkflowTask ?? null).toBeNull();
    }, PATIENT);
    release();
    await vi.waitFor(async () => {
      const { events } = await handle.fetchHistory();
      const faults = (events ?? []).flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure ?? []);
      expect(faults).toMatchObject([{ message: expect.stringContaining('null') as string }]);
    }, PATIENT);
    expect((await handle.describe()).status.name).toBe('RUNNING');
    expect(sealed).toBe(0);
    await handle.terminate();
  });
});
