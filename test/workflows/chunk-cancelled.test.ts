import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { LineResult, ServeLinesInput } from '../../core/contracts/batch.ts';
import type { FailureClass } from '../../core/contracts/failure.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { batchChunkWorkflow } from '../../workflows/batch-chunk.ts';
import { plantFailure, plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';
import { PATIENT } from '../support/patience.ts';

/** How the tries of two lines fail: the one has failed in passing and is kept for a while, the other is lost. */
const FAILURES: readonly (readonly FailureClass[])[] = [
  ['broken', 'broken'],
  ['rate_limited', 'unsupported'],
];

let temporal: TestTemporal;
let settling: number[] = [];
let release: () => void = () => undefined;
const held = new Promise<void>((resolve) => (release = resolve));

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({
    loadChunk: async () => ({ models: [{ model: 'm', lines: [1, 2] }] }),
    planLanesFor: async ({ model }: { model: string }) => ({ model, lanes: [plantLane('plan_lane')] }),
    settleLines: async ({ lines }: { lines: readonly { line: number }[] }) => {
      settling.push(...lines.map(({ line }) => line));
      await held;
    },
    keepAttempts: async () => {},
  });
  await temporal.serveLane('plan_lane', {
    serveLines: async (input: ServeLinesInput): Promise<LineResult[]> =>
      input.lines.map(({ line, attempt }) => {
        const outcome = FAILURES[line - 1]?.[attempt - 1] ?? 'broken';
        const record = { laneId: 'plan_lane', attempt, outcome, reachedUpstream: true, startedAt: 1, durationMs: 1 };
        return { line, record, failure: plantFailure(outcome) };
      }),
  });
});
afterAll(async () => {
  release();
  await temporal.release();
});

describe('a chunk that is cancelled', () => {
  it('ends though one of its lines is kept while others get their outcome', async () => {
    const handle = await temporal.environment.client.workflow.start<typeof batchChunkWorkflow>('batchChunkWorkflow', {
      workflowId: 'batch_1/chunk-0',
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [{ batchId: 'batch_1', keyId: 'key_1', chunkIndex: 0, expiresAt: Date.now() + 3_600_000 }],
    });
    await vi.waitFor(() => expect(settling).toEqual([2]), PATIENT);
    await handle.cancel();
    await vi.waitFor(async () => expect((await handle.describe()).status.name).toBe('CANCELLED'), PATIENT);
    const { events } = await handle.fetchHistory();
    expect((events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? [])).toEqual(
      [],
    );
  });
});
