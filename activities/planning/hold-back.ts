import type { PlannedLane } from '../../core/contracts/lane.ts';
import { latestMoment } from '../../core/contracts/spill.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { MeteredLanes } from './metered-lanes.ts';

/**
 * The rungs of a batch: lines wait for the plan as long as the deadline allows, and only then may cost money. Metered lanes
 * that stand behind a plan lane are held back until the latest responsible moment; a lane that its owner put in front of the
 * plan, one that is free, and all lanes of a batch that wants no waiting stand as they are.
 */
export async function holdBack(
  metered: MeteredLanes,
  batch: Pick<BatchDoc, '_id' | 'model' | 'control' | 'counts' | 'expiresAt'>,
  lanes: readonly PlannedLane[],
): Promise<readonly PlannedLane[]> {
  const firstPlan = lanes.findIndex(({ kind }) => kind === 'plan');
  if (batch.control.spill === 'now' || firstPlan === -1) return lanes;
  const behind = await metered.among(lanes.slice(firstPlan));
  if (behind.length === 0) return lanes;
  const remainingLines = await metered.linesUntilEnd(batch);
  const linesPerSecond = await metered.pace(behind);
  const heldUntil = latestMoment({ expiresAt: batch.expiresAt, remainingLines, linesPerSecond });
  return lanes.map((lane) => (behind.includes(lane) ? { ...lane, heldUntil } : lane));
}
