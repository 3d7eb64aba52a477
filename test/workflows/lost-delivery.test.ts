import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ServeRequestInput, ServeResult } from '../../core/contracts/completion.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { completionWorkflow } from '../../workflows/completion.ts';
import { plantLane } from '../support/planted.ts';
import { openTestTemporal, type TestTemporal } from '../support/temporal.ts';

/** A delivery is taken as lost after 12 s without a sign of life, and its next one waits 15 s for a slot. */
const UNTIL_GIVEN_UP = { timeout: 90_000, interval: 500 } as const;

let temporal: TestTemporal;
let deliveries = 0;
let release: () => void = () => undefined;
const held = new Promise<void>((resolve) => (release = resolve));

const answer = async ({ lane, attempt }: ServeRequestInput): Promise<ServeResult> => ({
  ok: true,
  record: { laneId: lane.laneId, attempt, outcome: 'answered', reachedUpstream: true, startedAt: 1, durationMs: 1 },
});

beforeAll(async () => {
  temporal = await openTestTemporal();
  await temporal.serveWorkflows({});
  // The first delivery says nothing more, and keeps the one slot that the lane has.
  const serveFirst = async (input: ServeRequestInput): Promise<ServeResult> => {
    deliveries += 1;
    if (deliveries === 1) await held;
    return answer(input);
  };
  await temporal.serveLane('a', { serveRequest: serveFirst }, 1);
  await temporal.serveLane('b', { serveRequest: answer });
});
afterAll(async () => {
  release();
  await temporal.release();
});

describe('an attempt whose delivery is lost', () => {
  it('may have cost something, though the next delivery found no slot, and the next lane serves its request', async () => {
    const handle = await temporal.environment.client.workflow.start<typeof completionWorkflow>('completionWorkflow', {
      workflowId: 'completion/req_1',
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [
        {
          requestId: 'req_1',
          keyId: 'key_1',
          plan: [plantLane('a', { kind: 'key' }), plantLane('b')],
          deadlineAt: Date.now() + 300_000,
        },
      ],
    });
    await vi.waitFor(async () => {
      const { events } = await handle.fetchHistory();
      const timeouts = (events ?? []).flatMap((event) => event.activityTaskTimedOutEventAttributes ?? []);
      expect(timeouts).toMatchObject([{ failure: { cause: { timeoutFailureInfo: {} } } }]);
    }, UNTIL_GIVEN_UP);
    release();
    expect(await handle.result()).toMatchObject({
      answered: true,
      attempts: [
        { laneId: 'a', attempt: 1, outcome: 'lane_unavailable', reachedUpstream: true, costUnknown: true },
        { laneId: 'b', attempt: 2, outcome: 'answered' },
      ],
    });
  });
});
