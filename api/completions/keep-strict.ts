import type { PlannedLane } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';
import type { Operation } from '../../core/lane-port.ts';
import { misfitOfPlans } from './fit-for-plans.ts';

interface StrictRequest {
  readonly operation: Operation;
  readonly body: { readonly model: string };
}

/**
 * The lanes of a plan for a request with `x-flatlane-strict: true`: those on which each of its parameters has its effect.
 * @throws ApiError unsupported_parameter, with the parameter's name, when no lane is left
 */
export function keepStrict(lanes: readonly PlannedLane[], { operation, body }: StrictRequest): readonly PlannedLane[] {
  if (lanes.every(({ kind }) => kind === 'key')) return lanes;
  const misfit = misfitOfPlans(operation, body, true);
  if (misfit === undefined) return lanes;
  const strict = lanes.filter(({ kind }) => kind === 'key');
  if (strict.length > 0) return strict;
  const { param } = misfit;
  throw new ApiError(
    'unsupported_parameter',
    `The lanes of '${body.model}' are plan lanes, on which ${param === null ? 'this endpoint' : `'${param}'`} has no full effect. ` +
      "Leave it out, add a key lane to the route, or send the request without 'x-flatlane-strict'.",
    { param: param ?? undefined },
  );
}
