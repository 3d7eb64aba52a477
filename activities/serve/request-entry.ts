import type { AttemptRecord } from '../../core/contracts/failure.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { Costs } from '../../lanes/prices/costs.ts';
import type { LaneLogDoc } from '../../store/lane-log.ts';
import type { RequestDoc } from '../../store/requests.ts';

export interface RequestFacts {
  /** What the caller got; null when it had left. */
  readonly httpStatus: number | null;
  /** The lane whose answer or refusal that is; null when it is in our words. */
  readonly laneId: string | null;
  readonly laneAlias: string | null;
  readonly attempts: readonly AttemptRecord[];
  readonly usage: TokenUsage | null;
  readonly costs: Costs;
  /** Unix milliseconds. */
  readonly at: number;
}

/** The entry in the lane log of an interactive request that ran as a workflow. */
export function requestEntry(request: RequestDoc, { httpStatus, costs, ...facts }: RequestFacts): LaneLogDoc {
  return {
    _id: request._id,
    kind: 'request',
    keyId: request.keyId,
    batchId: null,
    model: request.model,
    status: httpStatus === 200 ? 'answered' : 'failed',
    httpStatus,
    ...facts,
    ...costs,
  };
}
