import type { Logger } from '../core/log.ts';
import { repeat } from '../core/repeat.ts';
import { HOST_BEAT_MS } from '../lanes/policy/silent-lanes.ts';
import type { LaneStore } from '../store/lanes.ts';

interface HostBeatDeps {
  readonly lanes: Pick<LaneStore, 'list' | 'beat'>;
  /** Whether this process serves a lane. */
  readonly isServed: (laneId: string) => boolean;
  readonly log: Logger;
}

/** Lets the others know that the accounts of this process are served, until it is ended. Returns what ends it. */
export function startHostBeat({ lanes, isServed, log }: HostBeatDeps): () => Promise<void> {
  return repeat(HOST_BEAT_MS, async () => {
    try {
      const served = (await lanes.list()).filter(({ _id, kind }) => kind === 'plan' && isServed(_id));
      if (served.length > 0) await lanes.beat(served.map(({ _id }) => _id));
    } catch (error) {
      log.warn({ err: error }, 'could not say that the accounts here are served');
    }
  });
}
