import type { Logger } from '../../core/log.ts';
import type { HostedKeyLane } from './hosted-key-lane.ts';

/** Lanes that take nothing new, because they are gone or were opened anew: what is under way on them ends as it began. */
export interface LeavingLanes {
  add(lane: HostedKeyLane): void;
  /** Closes those on which nothing is under way any more. */
  endIdle(): void;
  readonly count: number;
  /** Closes all of them, requests under way included. */
  stop(): Promise<void>;
}

export function createLeavingLanes(log: Pick<Logger, 'warn'>): LeavingLanes {
  const leaving = new Set<HostedKeyLane>();
  return {
    add: (lane) => void leaving.add(lane),
    endIdle() {
      for (const lane of leaving) {
        if (!lane.isIdle()) continue;
        leaving.delete(lane);
        lane.stop().catch((error: unknown) => log.warn({ err: error }, 'a key lane could not be closed'));
      }
    },
    get count() {
      return leaving.size;
    },
    stop: async () => void (await Promise.allSettled([...leaving].map((lane) => lane.stop()))),
  };
}
