import { Context } from '@temporalio/activity';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { notingUnsent, unsentDeliveries } from '../../../activities/serve/unsent-deliveries.ts';
import type { ServeRequestInput, ServeResult } from '../../../core/contracts/completion.ts';
import { laneTaskQueue, WORKFLOW_TASK_QUEUE } from '../../../core/contracts/queues.ts';
import { newRequestId } from '../../../core/ids.ts';
import type { completionWorkflow } from '../../../workflows/completion.ts';
import { PATIENT } from '../../support/patience.ts';
import { plantLane } from '../../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../../support/temporal.ts';

let temporal: TestTemporal;
beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({});
});
afterAll(() => temporal.release());

const answer = ({ lane, attempt }: ServeRequestInput): ServeResult => ({
  ok: true,
  record: { laneId: lane.laneId, attempt, outcome: 'answered', reachedUpstream: true, startedAt: 1, durationMs: 1 },
});

/** A request on one lane, until it is answered. */
async function answered(laneId: string): Promise<void> {
  const requestId = newRequestId();
  await temporal.environment.client.workflow.execute<typeof completionWorkflow>('completionWorkflow', {
    workflowId: `completion/${requestId}`,
    taskQueue: WORKFLOW_TASK_QUEUE,
    args: [{ requestId, keyId: 'key_1', plan: [plantLane(laneId)], deadlineAt: Date.now() + 300_000 }],
  });
}

describe('deliveries that have sent nothing', () => {
  it('are known to those that come after them, and those that have sent something are not among them', async () => {
    const known: (readonly number[])[] = [];
    const serveRequest = (input: ServeRequestInput): Promise<ServeResult> =>
      notingUnsent(async (onSent) => {
        known.push(unsentDeliveries());
        const { attempt } = Context.current().info;
        if (attempt === 2) onSent();
        if (attempt < 4) throw new Error('the database is away');
        return answer(input);
      });
    await temporal.serveLane('fails', { serveRequest });
    await answered('fails');
    expect(known).toEqual([[], [1], [1], [1, 3]]);
  });

  it('are known when their worker stopped while they waited', async () => {
    const known: (readonly number[])[] = [];
    const serveRequest = (input: ServeRequestInput): Promise<ServeResult> =>
      notingUnsent(async () => {
        known.push(unsentDeliveries());
        const { info, cancelled } = Context.current();
        if (info.attempt === 1) await cancelled;
        return answer(input);
      });
    const worker = await Worker.create({
      connection: temporal.environment.nativeConnection,
      taskQueue: laneTaskQueue('stops'),
      activities: { serveRequest },
    });
    const ended = worker.run();
    const answering = answered('stops');
    await vi.waitFor(() => expect(known).toHaveLength(1), PATIENT);
    worker.shutdown();
    await ended;
    await temporal.serveLane('stops', { serveRequest });
    await answering;
    expect(known).toEqual([[], [1]]);
  });
});
