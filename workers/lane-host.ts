import type { HostedLane, LaneHost } from '../lanes/policy/hosted-lane.ts';
import type { Logger } from '../core/log.ts';
import type { LaneDoc, LaneStore } from '../store/lanes.ts';
import type { Hosted } from './hosted.ts';

interface LaneHostDeps {
  readonly lanes: LaneStore;
  /** This machine: accounts whose home is here are hosted here. */
  readonly hostId: string;
  readonly hostKeyLane: (doc: LaneDoc) => Hosted;
  readonly hostPlanLane: (doc: LaneDoc) => Promise<Hosted>;
  /** Begins to take the lane's tasks; resolves with the function that ends it. */
  readonly serve: (laneId: string, concurrency: number) => Promise<() => Promise<void>>;
  readonly log: Logger;
}

/** How often the lanes in the database are looked at: the longest that a new lane, or a wish of the owner's, waits. */
const LOOK_EVERY_MS = 500;

/** A lane that could not be hosted is tried again after this long: the process that has an account's home may be gone then. */
const BEGIN_AGAIN_MS = 2_000;

export interface RunningLaneHost extends LaneHost {
  /** Looks once and hosts what there is. */
  start(): Promise<void>;
  /** Stops taking tasks, waits for those under way, stops the lanes. */
  stop(): Promise<void>;
}

/** Hosts the lanes of this machine: all key lanes, and the accounts whose home is here. */
export function createLaneHost(deps: LaneHostDeps): RunningLaneHost {
  const { lanes, hostId, log } = deps;
  const hosted = new Map<string, { hosted: Hosted; stopServing: () => Promise<void> }>();
  /** Lanes that end, with what is under way on them: up to half a minute, in which the others must not wait. */
  const ending = new Map<string, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let stopped = false;
  /** Why lanes could not be hosted, so that it is said once and not at every look. */
  const failing = new Map<string, { why: string; againAt: number }>();

  const isOurs = async (doc: LaneDoc): Promise<boolean> =>
    doc.kind === 'key' || doc.hostId === hostId || (doc.hostId === null && (await lanes.claimHost(doc._id, hostId)));

  const begin = async (doc: LaneDoc): Promise<void> => {
    if (!(await isOurs(doc))) return;
    const started = doc.kind === 'key' ? deps.hostKeyLane(doc) : await deps.hostPlanLane(doc);
    try {
      // Before its tasks come: the first one may be there at once.
      hosted.set(doc._id, { hosted: started, stopServing: () => Promise.resolve() });
      hosted.set(doc._id, { hosted: started, stopServing: await deps.serve(doc._id, started.concurrency) });
    } catch (error) {
      // Nothing may be left behind: it is tried again in a moment, and an account has one process only.
      hosted.delete(doc._id);
      await started.stop();
      throw error;
    }
    failing.delete(doc._id);
    log.info({ laneId: doc._id, lane: doc.alias, kind: doc.kind }, 'a lane is hosted');
  };

  const end = (laneId: string): void => {
    const entry = hosted.get(laneId);
    if (entry === undefined) return;
    hosted.delete(laneId);
    const stop = async (): Promise<void> => {
      try {
        await entry.stopServing();
      } finally {
        await entry.hosted.stop();
      }
    };
    const over = stop()
      .catch((error: unknown) => log.warn({ err: error, laneId }, 'a lane could not be stopped'))
      .finally(() => ending.delete(laneId));
    ending.set(laneId, over);
  };

  const tryToBegin = async (doc: LaneDoc): Promise<void> => {
    const before = failing.get(doc._id);
    if (before !== undefined && performance.now() < before.againAt) return;
    try {
      await begin(doc);
    } catch (error) {
      const why = String(error);
      if (before?.why !== why) log.error({ err: error, lane: doc.alias }, 'a lane could not be hosted');
      failing.set(doc._id, { why, againAt: performance.now() + BEGIN_AGAIN_MS });
    }
  };

  const look = async (): Promise<void> => {
    const docs = await lanes.list();
    for (const doc of docs) {
      if (hosted.get(doc._id)?.hosted.lost() === true) end(doc._id);
      const entry = hosted.get(doc._id);
      if (entry !== undefined) entry.hosted.refresh(doc);
      // One that ends is begun anew by a later look: it is served once at a time.
      else if (!ending.has(doc._id)) await tryToBegin(doc);
    }
    const known = new Set(docs.map((doc) => doc._id));
    for (const laneId of hosted.keys()) if (!known.has(laneId)) end(laneId);
  };

  const lookAgain = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      looking = look()
        .catch((error: unknown) => log.warn({ err: error }, 'the lanes could not be read'))
        .finally(lookAgain);
    }, LOOK_EVERY_MS);
  };

  return {
    find: (laneId): HostedLane | undefined => hosted.get(laneId)?.hosted.lane,
    async start() {
      await look();
      lookAgain();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await looking;
      for (const laneId of hosted.keys()) end(laneId);
      await Promise.all(ending.values());
    },
  };
}
