/** How an attempt can end. The class of a failure decides what happens next; its words are only for the log. */

/**
 * - window_exhausted: the plan's window or the key's quota is used up
 * - rate_limited: too fast for now, with or without a time to wait
 * - overloaded: the upstream says that it is too busy
 * - unauthorized: the sign-in or the key is not accepted
 * - model_unavailable: this lane has no such model
 * - caller_fault: the request itself is refused (400, context length, policy); no lane would take it
 * - broken: connection lost, time-out, 5xx, a body that makes no sense
 * - process_lost: the Codex process or the worker died
 * - lane_unavailable: the lane is cooling, closed, full or without a worker; the upstream saw nothing, unless a worker was lost
 * - unsupported: this lane can't do what is asked (a parameter, images by URL); another may
 * - consent_spent: what the batch may spend on metered lanes leaves no room for the request; the upstream saw nothing
 * - cancelled: the caller went away or the batch was cancelled
 */
export type FailureClass =
  | 'window_exhausted'
  | 'rate_limited'
  | 'overloaded'
  | 'unauthorized'
  | 'model_unavailable'
  | 'caller_fault'
  | 'broken'
  | 'process_lost'
  | 'lane_unavailable'
  | 'unsupported'
  | 'consent_spent'
  | 'cancelled';

/** A failed attempt as the workflow sees it and as the lane log keeps it. Holds no prompt, no answer and no secret. */
export interface AttemptFailure {
  readonly class: FailureClass;
  /** Unix milliseconds from which the lane may be tried again, where it is known. */
  readonly unavailableUntil?: number;
  /** Of lane_unavailable: the lane pauses after failures or a rate limit, and no window is used up. */
  readonly backsOff?: boolean;
  /** True once a byte of the answer has reached the caller: then no other lane may go on. */
  readonly answerStarted: boolean;
  /** True if the upstream saw the request: what the ledger and the checker count as wasted. */
  readonly reachedUpstream: boolean;
  /** The request's parameter that is at fault, for unsupported and caller_fault. */
  readonly param?: string;
  /** HTTP status of the upstream where there was one. */
  readonly upstreamStatus?: number;
  /** An answer was begun before the upstream refused the request, or a worker was lost before none was left: it may be billed. */
  readonly mayBeBilled?: true;
  /** For process_lost, the id of the Codex process: its death is one failure of the lane, however many requests it took along. */
  readonly lostProcess?: number;
  /** A short reason in our own words, for the lane log. */
  readonly reason: string;
}

/** One try of one request on one lane. */
export interface AttemptRecord {
  readonly laneId: string;
  readonly attempt: number;
  readonly outcome: 'answered' | FailureClass;
  readonly reachedUpstream: boolean;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly reason?: string;
  readonly param?: string;
  /** It, or a delivery of it before, was cut off on a metered lane: what the upstream takes for it is not known. */
  readonly costUnknown?: true;
  /** Its owner had the failure played: the lane had no part in it, and nothing of it counts against the lane. */
  readonly drill?: true;
}

const CUT_OFF: ReadonlySet<FailureClass> = new Set<FailureClass>(['broken', 'process_lost', 'cancelled']);

/**
 * Whether nobody knows what a failed attempt cost: it reached a metered upstream, which may have worked on it, and was cut off before
 * it had told, or refused when an answer was begun, or left without a worker. An upstream that answered with an error takes nothing.
 */
export function isCostUnknown(laneKind: 'plan' | 'key', failure: AttemptFailure): boolean {
  const { class: failureClass, reachedUpstream, upstreamStatus, mayBeBilled = false } = failure;
  const wasRefused = upstreamStatus !== undefined && upstreamStatus >= 400;
  return laneKind === 'key' && reachedUpstream && (CUT_OFF.has(failureClass) || mayBeBilled) && !wasRefused;
}
