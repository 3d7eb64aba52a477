/** What a lane is, the states it can be in, and which change of state is allowed. */

/** plan: a ChatGPT account through one warm Codex app-server. key: an API key at an OpenAI-compatible address. */
export type LaneKind = 'plan' | 'key';

/**
 * signing_in → ready ⇄ cooling(until, why); ready → unhealthy(backoff) → ready; any → needs_login (plan) or needs_key (key);
 * any → off; a plan lane may be signed in anew from any state. A lane is created as signing_in (plan) or ready (key).
 */
export type LaneState = 'signing_in' | 'ready' | 'cooling' | 'unhealthy' | 'needs_login' | 'needs_key' | 'off';

const ALLOWED_FROM: Record<LaneState, readonly LaneState[]> = {
  signing_in: ['needs_login', 'off', 'ready', 'cooling', 'unhealthy', 'signing_in'],
  ready: ['signing_in', 'cooling', 'unhealthy', 'needs_key', 'needs_login', 'off', 'ready'],
  cooling: ['ready', 'cooling', 'unhealthy'],
  unhealthy: ['ready', 'unhealthy', 'cooling', 'signing_in'],
  needs_login: ['signing_in', 'ready', 'cooling', 'unhealthy', 'needs_login', 'off'],
  needs_key: ['ready', 'cooling', 'unhealthy', 'needs_key'],
  off: ['signing_in', 'ready', 'cooling', 'unhealthy', 'needs_login', 'needs_key', 'off'],
};

/** The states from which a lane may come into `to`. The store uses it as the condition of its update. */
export function statesBefore(to: LaneState): readonly LaneState[] {
  return ALLOWED_FROM[to];
}

/** One rung of a plan: which lane, and under which name the lane knows the model. Safe to be in a workflow's history. */
export interface LaneRef {
  readonly laneId: string;
  readonly kind: LaneKind;
  /** The lane's short name as its owner gave it; never an e-mail address. */
  readonly alias: string;
  /** The model's name at the lane's provider. */
  readonly model: string;
  /** Requests that the lane takes at a time. */
  readonly concurrency: number;
}

/** A rung with what is known about the lane at the time of planning. */
export interface PlannedLane extends LaneRef {
  /** Unix milliseconds until which the lane takes nothing; 0 when it is ready. */
  readonly unavailableUntil: number;
  /** Present while it pauses after failures or a rate limit, or waits for its worker: until then no window is used up. */
  readonly backsOff?: true;
  /**
   * A metered lane of a batch that waits for its plan: Unix milliseconds until which it gets no line that a plan lane can
   * still serve. From then on it takes also what the plan lanes have no room for. Absent: it stands in its order.
   */
  readonly heldUntil?: number;
}

/**
 * What the owner wants of a lane, apart from the state it is in: no start, self-test or recovery of a worker ever undoes it.
 * - none: it serves when its state allows
 * - paused: it takes nothing new
 * - draining: it takes nothing new, and is paused when all that is under way is finished
 * - removing: it takes nothing new, and is taken away with its sign-in
 */
export type LaneHold = 'none' | 'paused' | 'draining' | 'removing';

/** Turns at a time on one account: lanes.md has the figure above which the Codex CLI begins to refuse calls. */
export const MOST_PLAN_CONCURRENCY = 16;
