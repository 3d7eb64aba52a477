import type { LineResult } from '../core/contracts/batch.ts';
import { outageAfter } from '../core/contracts/choose-lane.ts';
import { decide } from '../core/contracts/decide.ts';
import type { AttemptFailure } from '../core/contracts/failure.ts';
import { withAttempt, type ChunkState, type LineGroup, type WaitingLine } from './line-queue.ts';

/** The line as it waits for its next try, or undefined when no lane may try it again. */
export function afterFailure(
  state: ChunkState,
  { lane }: LineGroup,
  line: WaitingLine,
  { record }: LineResult,
  failure: AttemptFailure,
): { line: WaitingLine; afterMs: number } | undefined {
  const now = Date.now();
  const tries = (line.triesOn.get(lane.laneId) ?? 0) + 1;
  const triesOn = new Map(line.triesOn).set(lane.laneId, tries);
  // A lane that took nothing is no attempt: a line that waits for days would collect thousands.
  const tookNothing = failure.class === 'lane_unavailable' && failure.mayBeBilled !== true;
  const attempts = tookNothing ? line.attempts : withAttempt(line.attempts, record);
  const decision = decide({ failure, triesOnLane: tries, now });
  if (decision.act === 'fail') return undefined;
  if (decision.act === 'again') return { line: { ...line, attempts, triesOn }, afterMs: decision.afterMs };
  if (failure.class === 'window_exhausted') state.windowOver = true;
  const outage = outageAfter(failure, now);
  if (outage === undefined) {
    return { line: { ...line, attempts, triesOn, usedUp: new Set(line.usedUp).add(lane.laneId) }, afterMs: 0 };
  }
  state.outages.set(lane.laneId, Math.max(outage, state.outages.get(lane.laneId) ?? 0));
  // The lane is out for everybody; this line may come back to it with a clean slate.
  triesOn.delete(lane.laneId);
  return { line: { ...line, attempts, triesOn }, afterMs: 0 };
}
