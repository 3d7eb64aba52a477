import type { Clock } from '../../core/clock.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { Caller } from '../plugins/authenticate.ts';

/**
 * The lanes for an interactive request, in order.
 * @throws ApiError when there is none, and why: unknown model, not for this key, nothing signed in, every window out
 */
export async function choosePlan(
  directory: LaneDirectory,
  model: string,
  caller: Caller,
  clock: Clock,
): Promise<readonly PlannedLane[]> {
  const plan = await directory.plan(model, caller);
  if (!plan.known) {
    throw new ApiError(
      'model_not_found',
      `The model '${model}' does not exist here, or no lane serves it. See GET /v1/models.`,
      {
        param: 'model',
      },
    );
  }
  if (plan.forbidden) {
    throw new ApiError(
      'insufficient_permissions',
      `This key may not use the lanes of '${model}': they are plan lanes. The owner can allow them for an app of their own.`,
    );
  }
  if (plan.lanes.length === 0) {
    throw new ApiError(
      'server_is_overloaded',
      `No lane of '${model}' is open: ${plan.closed.join(', ') || 'its route is empty'}.`,
      {
        retryAfterMs: 60_000,
      },
    );
  }
  const now = clock.now();
  if (plan.lanes.every((lane) => lane.unavailableUntil > now)) {
    const resetsAtMs = Math.min(...plan.lanes.map((lane) => lane.unavailableUntil));
    throw new ApiError('usage_limit_reached', `Every lane of '${model}' is out of its window until the reset.`, {
      resetsAtMs,
      retryAfterMs: resetsAtMs - now,
    });
  }
  return plan.lanes;
}
