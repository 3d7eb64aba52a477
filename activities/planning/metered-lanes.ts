import { LRUCache } from 'lru-cache';
import { CHUNKS_AT_A_TIME, GROUP_LINES, GROUPS_IN_FLIGHT } from '../../core/contracts/batch.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { meteredPace } from '../../core/contracts/spill.ts';
import { lanePrices, meterOf } from '../../lanes/prices/lane-prices.ts';
import type { BatchQueueStore } from '../../store/batch-queue.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LaneStore } from '../../store/lanes.ts';

interface MeteredLanesDeps {
  readonly batchQueue: BatchQueueStore;
  readonly lanes: Pick<LaneStore, 'find'>;
  readonly laneLog: Pick<LaneLogStore, 'list'>;
}

type QueuedBatch = Pick<BatchDoc, '_id' | 'model' | 'counts' | 'expiresAt'>;

/** Lines of one batch that are out on one key lane at a time. */
const MOST_LINES_OUT = CHUNKS_AT_A_TIME * GROUPS_IN_FLIGHT.key * GROUP_LINES.key;

/** Answers of a lane that tell how fast it is. */
const ANSWERS_LOOKED_AT = 50;

/** How long a measured pace is good for: reading the log costs more than a plan, and a deadline is hours away. */
const PACE_GOOD_FOR_MS = 5 * 60_000;

/** Chunks of one batch that begin together ask once. */
const QUEUE_GOOD_FOR_MS = 5_000;

/** What planning needs to know of lanes that cost money. */
export function createMeteredLanes({ batchQueue, lanes, laneLog }: MeteredLanesDeps) {
  const queues = new LRUCache<string, number>({ max: 1_000, ttl: QUEUE_GOOD_FOR_MS });
  const paces = new LRUCache<string, readonly number[]>({ max: 1_000, ttl: PACE_GOOD_FOR_MS });

  const answerTimes = async (laneId: string): Promise<readonly number[]> => {
    const known = paces.get(laneId);
    if (known !== undefined) return known;
    const entries = await laneLog.list({ laneId, limit: ANSWERS_LOOKED_AT });
    const times = entries.flatMap(({ attempts }) =>
      attempts
        .filter((attempt) => attempt.laneId === laneId && attempt.outcome === 'answered' && attempt.reachedUpstream)
        .map(({ durationMs }) => durationMs),
    );
    paces.set(laneId, times);
    return times;
  };

  return {
    /** Those of the lanes that cost money by the token, as far as anybody knows. */
    async among(planned: readonly PlannedLane[]): Promise<readonly PlannedLane[]> {
      const metered = await Promise.all(
        planned.map(async ({ kind, laneId, model }) => {
          if (kind === 'plan') return false;
          const settings = (await lanes.find(laneId))?.keySettings ?? null;
          return meterOf(lanePrices(settings), model) !== 'free';
        }),
      );
      return planned.filter((_, index) => metered[index]);
    },

    /**
     * Lines that are to be done until a batch ends: its own, and those of other batches of the same model that end no later. What
     * all of them leave to the last moment must fit before it together.
     */
    async linesUntilEnd({ _id, model, counts, expiresAt }: QueuedBatch): Promise<number> {
      const known = queues.get(_id);
      if (known !== undefined) return known;
      const own = Math.max(0, counts.total - counts.completed - counts.failed);
      const lines = own + (await batchQueue.remainingUntil(expiresAt, model, _id));
      queues.set(_id, lines);
      return lines;
    },

    /** Lines a second that these lanes serve of one batch. */
    async pace(planned: readonly PlannedLane[]): Promise<number> {
      const measured = planned.map(async ({ laneId, concurrency }) => ({
        concurrency,
        answerMs: await answerTimes(laneId),
      }));
      return meteredPace(await Promise.all(measured), MOST_LINES_OUT);
    },
  };
}

export type MeteredLanes = ReturnType<typeof createMeteredLanes>;
