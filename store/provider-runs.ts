import type { Db } from 'mongodb';
import type { BatchStatus } from '../core/contracts/batch.ts';
import type { ProviderRun } from '../core/contracts/provider-run.ts';
import type { BatchDoc } from './batches.ts';

/** A run as it is known by itself: what is the same in each of its deliveries. */
export type RunIdentity = Pick<ProviderRun, 'number' | 'lane' | 'firstChunk' | 'endChunk' | 'takenBackAt'>;

/** A try of a run. */
interface RunTry {
  readonly number: number;
  readonly attempt: number;
}

/** States of a batch that is not over. */
const UNDER_WAY: readonly BatchStatus[] = ['validating', 'in_progress', 'finalizing', 'cancelling'];

/** The runs of batches at providers. Indexes: `_id`; `status, createdAt` for those of a lane. */
export function createProviderRunStore(db: Db) {
  const batches = db.collection<BatchDoc>('batches');
  const find = async (batchId: string): Promise<ProviderRun | null> =>
    (await batches.findOne({ _id: batchId }, { projection: { providerRun: 1 } }))?.providerRun ?? null;
  /** True while this very run is the newest one of its batch. */
  const isNewest = async (batchId: string, run: RunIdentity): Promise<boolean> => isSame(await find(batchId), run);
  /** What was noted of a try; undefined when nothing was. */
  const made = async (batchId: string, { number, attempt }: RunTry): Promise<string | undefined> => {
    const newest = await find(batchId);
    return newest?.number === number ? newest.made[String(attempt)] : undefined;
  };

  return {
    isNewest,

    /**
     * Begins a run of a batch that is in progress and whose run before is over. True when it is begun, also by an earlier
     * delivery, and not over.
     */
    async begin(batchId: string, run: Omit<ProviderRun, 'made' | 'isOver'>): Promise<boolean> {
      const before =
        run.number === 1
          ? { providerRun: { $exists: false } }
          : { 'providerRun.number': run.number - 1, 'providerRun.isOver': true };
      await batches.updateOne(
        { _id: batchId, status: 'in_progress', ...before },
        { $set: { providerRun: { ...run, made: {}, isOver: false } } },
      );
      const newest = await find(batchId);
      return isSame(newest, run) && newest?.isOver === false;
    },

    made,

    /**
     * Notes what the provider calls the batch of a try, unless one is noted. Returns the one that is; undefined when none is and the run
     * is over, or is not the newest one of its batch.
     */
    async noteMade(batchId: string, tried: RunTry, providerBatchId: string): Promise<string | undefined> {
      const field = `providerRun.made.${tried.attempt}`;
      const { matchedCount } = await batches.updateOne(
        { _id: batchId, 'providerRun.number': tried.number, 'providerRun.isOver': false, [field]: { $exists: false } },
        { $set: { [field]: providerBatchId } },
      );
      return matchedCount === 1 ? providerBatchId : made(batchId, tried);
    },

    /** Safe to repeat. */
    end: async (batchId: string, number: number): Promise<void> =>
      void (await batches.updateOne(
        { _id: batchId, 'providerRun.number': number },
        { $set: { 'providerRun.isOver': true } },
      )),

    /** Batches that are not over, with a run on this lane that is not over. */
    listOpenOnLane: (laneId: string): Promise<{ readonly _id: string; readonly providerRun: ProviderRun }[]> =>
      batches
        .find({ status: { $in: [...UNDER_WAY] }, 'providerRun.isOver': false, 'providerRun.lane.laneId': laneId })
        .project<{ readonly _id: string; readonly providerRun: ProviderRun }>({ providerRun: 1 })
        .toArray(),
  };
}

export type ProviderRunStore = ReturnType<typeof createProviderRunStore>;

function isSame(one: RunIdentity | null, other: RunIdentity): boolean {
  return (
    one !== null &&
    one.number === other.number &&
    one.lane.laneId === other.lane.laneId &&
    one.firstChunk === other.firstChunk &&
    one.endChunk === other.endChunk &&
    one.takenBackAt === other.takenBackAt
  );
}
