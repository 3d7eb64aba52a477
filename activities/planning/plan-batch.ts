import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { LanePlan } from '../../core/contracts/batch.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { BatchControlStore } from '../../store/batch-control.ts';
import type { BatchDoc } from '../../store/batches.ts';
import { endsBatches, type KeyDoc } from '../../store/keys.ts';
import { batchPermissions } from './batch-permissions.ts';
import { holdBack } from './hold-back.ts';
import type { MeteredLanes } from './metered-lanes.ts';
import { saysTheSame, waitingFor } from './waiting-for.ts';

export interface PlanBatchDeps {
  readonly directory: LaneDirectory;
  readonly batchControl: Pick<BatchControlStore, 'setWaiting'>;
  readonly metered: MeteredLanes;
  readonly clock: Clock;
}

/** The lanes for the lines of a batch that name a model, now, and how the batch is to run. Notes what its lines wait for. */
export async function planBatch(
  { directory, batchControl, metered, clock }: PlanBatchDeps,
  batch: BatchDoc,
  key: KeyDoc | null,
  model: string,
): Promise<LanePlan> {
  const { control, onlyLanes = null } = batch;
  const plan = await directory.plan(
    model,
    batchPermissions(key, batch),
    // A batch is no conversation: each look at its lanes takes the one that is least busy, or its part by weight.
    () => ({ seed: randomUUID(), sticky: false }),
  );
  const known = plan.known ? plan.lanes : [];
  const allowed = onlyLanes === null ? known : known.filter(({ laneId }) => onlyLanes.includes(laneId));
  const lanes = await holdBack(metered, batch, allowed);
  const waiting = waitingFor(lanes, plan.known ? plan.closed : [], clock.now());
  if (!saysTheSame(waiting, batch.waiting)) await batchControl.setWaiting(batch._id, waiting);
  // Until its cancel arrives nothing more goes out for a key that leaked.
  const paused = control.paused || endsBatches(key);
  return { model, lanes, control: { paused, priority: control.priority } };
}
