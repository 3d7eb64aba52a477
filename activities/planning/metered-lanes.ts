import { LRUCache } from 'lru-cache';
import { CHUNKS_AT_A_TIME, GROUP_LINES, GROUPS_IN_FLIGHT } from '../../core/contracts/batch.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { meteredPace } from '../../core/contracts/spill.ts';
import { lanePrices, meterOf } from '../../lanes/prices/lane-prices.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LaneStore } from '../../store/lanes.ts';

interface MeteredLanesDeps {
  readonly lanes: Pick<LaneStore, 'find'>;
  readonly laneLog: Pick<LaneLogStore, 'list'>;
}

/** Lines of one batch that are out on key lanes at a time. */
const MOST_LINES_OUT = CHUNKS_AT_A_TIME * GROUPS_IN_FLIGHT.key * GROUP_LINES.key;

/** Answers of a lane that tell how fast it is. */
const ANSWERS_LOOKED_AT = 50;

/** How long a measured pace is good for: reading the log costs more than a plan, and a deadline is hours away. */
const PACE_GOOD_FOR_MS = 5 * 60_000;

/** What planning needs to know of lanes that cost money. */
export function createMeteredLanes({ lanes, laneLog }: MeteredLanesDeps) {
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
