import type { Clock } from '../../core/clock.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';
import type { Operation } from '../../core/lane-port.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { LanePermissions } from '../../lanes/policy/plan-lanes.ts';
import type { ShareKey } from '../../lanes/policy/share-order.ts';

export interface ChosenPlan {
  readonly lanes: readonly PlannedLane[];
  /** True when this process itself may serve it. */
  readonly direct: boolean;
}

/**
 * The lanes for an interactive request, in order.
 * @param mayWait true for a request that waits while every lane is out
 * @param shareKey by what lanes that share are put in order
 * @throws ApiError when there is none, and why: unknown model, not for this key, none that does this, nothing signed in, every window out
 */
export async function choosePlan(
  directory: LaneDirectory,
  model: string,
  permissions: LanePermissions,
  clock: Clock,
  operation: Operation,
  mayWait = false,
  shareKey?: () => ShareKey,
): Promise<ChosenPlan> {
  const plan = await directory.plan(model, permissions, shareKey);
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
      plan.withheld.length > 0
        ? `The lanes of '${model}' that this key may use cost money by the token. ${CONSENT_ADVICE}`
        : `This key may not use the lanes of '${model}': they are plan lanes. The owner can allow them for an app of their own.`,
    );
  }
  if (plan.lanes.length === 0) {
    throw new ApiError(
      'server_is_overloaded',
      `No lane of '${model}' is open: ${plan.closed.join(', ') || 'its route is empty'}.`,
      // What is closed waits for its owner: a client's own retry would find the same.
      { retryAfterMs: 60_000, shouldRetry: false },
    );
  }
  const able = plan.lanes.filter((lane) => lane.kind === 'key' || operation !== 'embeddings');
  if (able.length === 0) {
    throw new ApiError(
      'unsupported_parameter',
      `The lanes of '${model}' are plan lanes, and a plan has no embeddings. Add a key lane to its route.`,
      { param: 'model' },
    );
  }
  const now = clock.now();
  if (!mayWait && able.every((lane) => lane.unavailableUntil > now)) {
    const resetsAtMs = Math.min(...able.map((lane) => lane.unavailableUntil));
    const pauses = able.some((lane) => lane.unavailableUntil === resetsAtMs && lane.backsOff === true);
    if (pauses) throw backsOff(model, resetsAtMs - now);
    const advice = plan.withheld.length > 0 ? ` Its key lanes were left out: ${CONSENT_ADVICE}` : '';
    throw new ApiError(
      'usage_limit_reached',
      `Every lane of '${model}' is out of its window until the reset.${advice}`,
      {
        resetsAtMs,
        retryAfterMs: resetsAtMs - now,
      },
    );
  }
  return { lanes: able, direct: plan.direct };
}

/**
 * A lane that recovers from failures, was asked to slow down, or whose worker is being started anew, is not out of its window: its
 * pause is mostly short, and a client's own retry finds it.
 */
function backsOff(model: string, retryAfterMs: number): ApiError {
  return new ApiError(
    'server_is_overloaded',
    `Every lane of '${model}' is out; the first that comes back pauses after failures or a rate limit, or waits for its worker. Try again shortly.`,
    { retryAfterMs },
  );
}

const CONSENT_ADVICE =
  "metered spend needs consent. Send 'x-flatlane-allow-metered: true' where the owner lets the request decide, or ask the owner.";
