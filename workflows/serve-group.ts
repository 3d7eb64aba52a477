import type { BatchPriority } from '../core/contracts/batch-control.ts';
import { OWN_TROUBLES_BEFORE_GIVING_UP, type ChunkInput, type LineResult } from '../core/contracts/batch.ts';
import { LINE_TASK_PRIORITY } from '../core/contracts/queues.ts';
import { LINE_GROUP_LIMIT_MS, LINE_SLOT_WAIT_MS } from '../core/contracts/timings.ts';
import { nextAttempt, type LineGroup, type WaitingLine } from './line-queue.ts';
import { isOwnTrouble, lostAttempt, lostRecord } from './lost-attempt.ts';
import { laneActivities } from './proxies.ts';

/**
 * One activity for a group of lines on one lane. When Temporal gives the activity up, each line has that failure; null when it was
 * given up for our own part.
 */
export async function serveGroup(
  input: ChunkInput,
  { lane, lines }: LineGroup,
  priority: BatchPriority,
): Promise<LineResult[] | null> {
  const { unavailableUntil: _, backsOff: _pause, heldUntil: _held, ...laneRef } = lane;
  const { batchId, keyId, chunkIndex, expiresAt } = input;
  const startedAt = Date.now();
  const tasks = lines.map((waiting) => ({
    line: waiting.line,
    attempt: nextAttempt(waiting),
    previous: waiting.attempts,
  }));
  try {
    return await laneActivities({
      laneId: lane.laneId,
      slotWaitMs: LINE_SLOT_WAIT_MS,
      // Lines of many groups take turns for the lane's slots: only each line itself knows how long it waits and how long it is out.
      limitMs: LINE_GROUP_LIMIT_MS,
      priorityKey: LINE_TASK_PRIORITY[priority],
      fairnessKey: keyId,
      summary: summaryOf(
        lines.map(({ line }) => line),
        lane.alias,
      ),
    }).serveLines({ batchId, keyId, chunkIndex, lane: laneRef, lines: tasks, expiresAt, priority });
  } catch (error) {
    if (isOwnTrouble(error) && lines.every(hasPatience)) return null;
    const failure = lostAttempt(error);
    return tasks.map(({ line, attempt }) => ({ line, failure, record: lostRecord(lane, attempt, startedAt, failure) }));
  }
}

function hasPatience({ ownTroubles = 0 }: WaitingLine): boolean {
  return ownTroubles < OWN_TROUBLES_BEFORE_GIVING_UP;
}

function summaryOf(lines: readonly number[], alias: string): string {
  return lines.length === 1 ? `line ${lines[0]} on ${alias}` : `${lines.length} lines from ${lines[0]} on ${alias}`;
}
