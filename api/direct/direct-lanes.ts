import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { createHostedKeyLane, type HostedKeyLane } from '../../lanes/openai/hosted-key-lane.ts';
import { createLeavingLanes } from '../../lanes/openai/leaving-lanes.ts';
import { openedWith } from '../../lanes/openai/open-key-lane.ts';
import type { LaneHost } from '../../lanes/policy/hosted-lane.ts';
import { laneHeadersPlace, laneSecretPlace, type LaneDoc, type LaneStore } from '../../store/lanes.ts';

interface DirectLanesDeps {
  readonly lanes: Pick<LaneStore, 'transition'>;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The key lanes of an api process, for requests that it serves itself. */
export interface DirectLanes extends LaneHost {
  /** Takes in the lanes as the database has them: what is new is opened, what is changed is opened anew, what is gone ends. */
  take(docs: readonly LaneDoc[]): void;
  /** Ends all connections. */
  stop(): Promise<void>;
}

interface Entry {
  readonly lane: HostedKeyLane;
  readonly settings: string;
}

export function createDirectLanes({ lanes, secretBox, clock, log }: DirectLanesDeps): DirectLanes {
  const open = new Map<string, Entry>();
  const leaving = createLeavingLanes(log);
  /** Why lanes could not be opened, so that it is said once. */
  const failing = new Map<string, string>();

  const begin = (doc: LaneDoc): HostedKeyLane | undefined => {
    try {
      const openKey = (sealed: string): string => secretBox.open(sealed, laneSecretPlace(doc._id));
      const openHeaders = (sealed: string): string => secretBox.open(sealed, laneHeadersPlace(doc._id));
      const lane = createHostedKeyLane({ lanes, openKey, openHeaders, clock, log }, doc);
      failing.delete(doc._id);
      return lane;
    } catch (error) {
      const why = String(error);
      if (failing.get(doc._id) !== why) log.error({ err: error, lane: doc.alias }, 'a key lane could not be opened');
      failing.set(doc._id, why);
      return undefined;
    }
  };

  const leave = (laneId: string): void => {
    const entry = open.get(laneId);
    open.delete(laneId);
    if (entry !== undefined) leaving.add(entry.lane);
  };

  return {
    find: (laneId) => open.get(laneId)?.lane,
    take(docs) {
      const present = docs.filter((doc) => doc.kind === 'key');
      const ids = new Set(present.map((doc) => doc._id));
      for (const laneId of open.keys()) if (!ids.has(laneId)) leave(laneId);
      for (const doc of present) {
        const settings = openedWith(doc);
        const entry = open.get(doc._id);
        if (entry?.settings === settings) {
          entry.lane.refresh(doc);
          continue;
        }
        leave(doc._id);
        const lane = begin(doc);
        if (lane !== undefined) open.set(doc._id, { lane, settings });
      }
      leaving.endIdle();
    },
    async stop() {
      const all = [...open.values()].map(({ lane }) => lane);
      open.clear();
      await Promise.allSettled([...all.map((lane) => lane.stop()), leaving.stop()]);
    },
  };
}
