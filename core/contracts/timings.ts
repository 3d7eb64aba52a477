/** Every time limit with its unit and its reason. One place, so that limits that depend on each other stay in order. */

/** A completion that takes longer than this is given up: OpenAI's own clients stop waiting after 10 minutes. */
export const COMPLETION_DEADLINE_MS = 10 * 60_000;

/** One attempt on one lane: long reasoning answers take minutes, and a hanging lane must leave time for the next one. */
export const ATTEMPT_DEADLINE_MS = 5 * 60_000;

/** A caller who takes a long answer slowly has it within this time after its end, or not at all. */
export const LINGER_LIMIT_MS = 5 * 60_000;

/** An interactive request waits this long for a free slot of a lane (or for a worker that hosts it) before the next lane is tried. */
export const INTERACTIVE_SLOT_WAIT_MS = 15_000;

/** A request that has no other lane to go to waits longer for a slot of its last one: a late answer is more than none. */
export const LAST_LANE_SLOT_WAIT_MS = 2 * 60_000;

/** A batch line may wait long for a slot; past this its lane is taken as having no worker, and the next lane is tried. */
export const LINE_SLOT_WAIT_MS = 5 * 60_000;

/**
 * A batch line whose group a worker has taken waits this long for its slot, then it goes back unsent: what it may cost is not held for
 * hours, its batch plans anew, and its activity has an end that can be told beforehand. Twelve rounds of a lane at 75 s a line.
 */
export const LINE_WAIT_IN_WORKER_MS = 15 * 60_000;

/**
 * The last resort against a group of lines that hangs for good: a batch can't end before it. It must never be reached otherwise, since
 * what is under way is cut off and sent again; so it leaves ten minutes after the longest wait and the longest attempt, for a database
 * that is away. A worker that dies is noticed by its heartbeat.
 */
export const LINE_GROUP_LIMIT_MS = 30 * 60_000;

/** A worker that says nothing for this long is taken as dead, and its attempts are decided on anew. */
export const LANE_HEARTBEAT_TIMEOUT_MS = 12_000;

/** Heartbeats also carry a cancellation back, so they are closer together than the time-out needs. */
export const LANE_HEARTBEAT_INTERVAL_MS = 2_000;

/** A lane that failed in passing (connection lost, overloaded) is tried once more after this long. */
export const SAME_LANE_RETRY_MS = 250;

/** A retry-after up to this long is waited for on the same lane; a longer one sends the request to the next lane. */
export const SHORT_RETRY_AFTER_MS = 5_000;

/** While every lane is out, a batch plans anew at least this often: windows reset early at times. Reads MongoDB only. */
export const REPLAN_AT_MOST_EVERY_MS = 5 * 60_000;

/** The shortest durable wait when no lane is free and no reset time is known. */
export const REPLAN_AT_LEAST_AFTER_MS = 5_000;

/** While lines wait for room on open lanes, the lanes are looked at this often: the worker of one may be gone. Reads MongoDB only. */
export const LOOK_WHILE_SERVING_MS = 60_000;

/** While an interactive request waits for a lane, its lanes are looked at this often: 2,000 events of history in an hour. Reads MongoDB only. */
export const LOOK_WHILE_WAITING_MS = 15_000;

/** The longest that a caller may ask to wait for a lane: connections are rarely kept open longer. */
export const LONGEST_WAIT_MS = 3_600_000;

/** A window's end further away than this is not believed: the longest window is a week. */
export const LONGEST_WINDOW_MS = 8 * 24 * 3_600_000;

/** Credits or quota that ran out without a reset time: hold this long, then probe. */
export const HOLD_WITHOUT_RESET_MS = 3_600_000;

/** A lane without a worker that takes its tasks is left alone this long. */
export const LANE_WITHOUT_WORKER_MS = 30_000;

/** Retries of an activity whose worker died or whose database was away: from a quarter of a second to half a minute apart. */
export const INFRASTRUCTURE_RETRY = { initialMs: 250, maximumMs: 30_000, attempts: 10 } as const;

/** An activity that only reads or writes a few documents is over in this time or lost. */
export const SHORT_ACTIVITY_MS = 30_000;

/** Reading a whole batch file, or writing one: 200 MiB at a few MB/s, with heartbeats on the way. */
export const FILE_ACTIVITY_MS = 30 * 60_000;

/** A file activity heartbeats every few hundred lines; silence this long is a dead worker. */
export const FILE_HEARTBEAT_TIMEOUT_MS = 20_000;

/** How often what is past its end is removed. Nothing of it is in anybody's way: a delay costs room on the disk only. */
export const HOUSEKEEPING_EVERY_MS = 15 * 60_000;

/** One round is bounded by what it may remove: minutes at most, on a slow disk. Two tries of it fit before the second next round. */
export const HOUSEKEEPING_ROUND_MS = 10 * 60_000;

/** Between two signs of life a round removes one file of up to 200 MiB, piece by piece. */
export const HOUSEKEEPING_HEARTBEAT_TIMEOUT_MS = 2 * 60_000;
