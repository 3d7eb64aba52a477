import type { AttemptRecord } from '../../core/contracts/failure.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { LaneLogDoc } from '../../store/lane-log.ts';
import type { LedgerDoc } from '../../store/ledger.ts';
import { costsOfFailures, type Costs } from '../../lanes/prices/costs.ts';

/** What one request came to, for the books. */
export interface DirectEntry {
  readonly log: LaneLogDoc;
  /** Present when something was answered upstream, and so is paid for. */
  readonly ledger?: LedgerDoc;
}

interface RequestFacts {
  readonly requestId: string;
  readonly keyId: string;
  readonly model: string;
  readonly attempts: readonly AttemptRecord[];
  /** Unix milliseconds. */
  readonly at: number;
}

interface Paid {
  readonly lane: LaneRef;
  readonly usage: TokenUsage | null;
  readonly costs: Costs;
  /** Key of the attempt that is paid for. */
  readonly ledgerKey: string;
}

/** The books' entry of a request that a lane answered. */
export function servedEntry(facts: RequestFacts, { lane, usage, costs, ledgerKey }: Paid): DirectEntry {
  const { requestId, keyId, at } = facts;
  const { laneId, alias } = lane;
  return {
    log: { ...logOf(facts), status: 'answered', httpStatus: 200, laneId, laneAlias: alias, usage, ...costs },
    ledger: { _id: ledgerKey, itemId: requestId, batchId: null, keyId, laneId, ...costs, at },
  };
}

/**
 * The books' entry of a request that ended without an answer.
 * @param httpStatus what the caller got; null when it had left
 * @param lane the lane whose refusal the caller got; null when it was in our words
 */
export function failedEntry(facts: RequestFacts, httpStatus: number | null, lane: LaneRef | null): DirectEntry {
  const base = logOf(facts);
  const costs = costsOfFailures(facts.attempts);
  const served = { laneId: lane?.laneId ?? null, laneAlias: lane?.alias ?? null };
  return { log: { ...base, status: 'failed', httpStatus, ...served, usage: null, ...costs } };
}

function logOf({ requestId, keyId, model, attempts, at }: RequestFacts) {
  return { _id: requestId, kind: 'request', keyId, batchId: null, model, attempts, at } as const;
}
