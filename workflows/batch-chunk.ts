import { continueAsNew, sleep, workflowInfo } from '@temporalio/workflow';
import { outageAfter } from '../core/contracts/choose-lane.ts';
import type { CarriedLine, ChunkInput, LineResult } from '../core/contracts/batch.ts';
import { decide } from '../core/contracts/decide.ts';
import type { AttemptFailure } from '../core/contracts/failure.ts';
import { REPLAN_AT_LEAST_AFTER_MS, REPLAN_AT_MOST_EVERY_MS } from '../core/contracts/timings.ts';
import {
  firstReturn,
  nextReturn,
  afterPause,
  pauseOf,
  withAttempt,
  takeGroup,
  takeHopeless,
  type ChunkState,
  type LineGroup,
  type WaitingLine,
} from './line-queue.ts';
import { shortActivities } from './proxies.ts';
import { serveGroup } from './serve-group.ts';

/**
 * One chunk of a batch: each of its lines comes to an outcome, over the same lanes and by the same policy as a completion.
 * While every lane is out it waits on a timer and plans anew; nothing asks the upstream meanwhile.
 */
export async function batchChunkWorkflow(input: ChunkInput): Promise<void> {
  const lines = input.carried ?? (await loadLines(input));
  const state: ChunkState = {
    waiting: lines.map((line) => ({ ...line, usedUp: new Set(), triesOn: new Map() })),
    plans: new Map(),
    outages: new Map(),
    groupsInFlight: { plan: 0, key: 0 },
  };
  await planAnew(input, state);
  await run(input, state);
}

async function loadLines({ batchId, chunkIndex }: ChunkInput): Promise<CarriedLine[]> {
  const { models } = await shortActivities.loadChunk({ batchId, chunkIndex });
  return models.flatMap(({ model, lines }) => lines.map((line) => ({ line, model, attempts: [], pauses: 0 })));
}

async function planAnew({ keyId }: ChunkInput, state: ChunkState): Promise<void> {
  const models = [...new Set(state.waiting.map((line) => line.model))];
  const plans = await Promise.all(models.map((model) => shortActivities.planLanesFor({ keyId, model })));
  for (const { model, lanes } of plans) state.plans.set(model, lanes);
  // What the new plan says of a lane is newer than what was learnt before.
  state.outages.clear();
}

async function run(input: ChunkInput, state: ChunkState): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  try {
    await serveAll(input, state, inFlight);
  } catch (error) {
    // Cancelled, say: what is out comes to its end first, so that an answer that was paid for is stored before the end is.
    await Promise.allSettled(inFlight);
    throw error;
  }
}

async function serveAll(input: ChunkInput, state: ChunkState, inFlight: Set<Promise<void>>): Promise<void> {
  const lookout = createLookout(input, state);
  while (state.waiting.length > 0 || inFlight.size > 0) {
    const hopeless = takeHopeless(state, Date.now());
    if (hopeless.length > 0) {
      const paused = hopeless.filter((line) => pauseOf(line) !== undefined);
      for (const line of paused) start(inFlight, keep(state, line));
      const given = hopeless.filter((line) => !paused.includes(line));
      if (given.length > 0) await settle(input, given);
      // Other lines have come back meanwhile, and what follows must not wait for a lane that none of them has left.
      continue;
    }

    const mayStart = !workflowInfo().continueAsNewSuggested;
    for (let group = mayStart ? takeGroup(state, Date.now()) : undefined; group; group = takeGroup(state, Date.now())) {
      start(inFlight, fly(input, state, group));
    }
    if (inFlight.size > 0) {
      await Promise.race([...inFlight, ...lookout()]);
    } else if (state.waiting.length > 0) {
      if (!mayStart) await continueWith(input, state);
      await waitForLane(state);
      await planAnew(input, state);
    }
  }
}

/**
 * While lines wait and a lane is out, the lanes are looked at anew from time to time: it may be back long before what is out
 * on another lane has landed, or before the time that it told. One timer at a time; none while every lane is open.
 */
function createLookout(input: ChunkInput, state: ChunkState): () => Promise<void>[] {
  let looking: Promise<void> | undefined;
  return () => {
    const now = Date.now();
    const returnsAt = state.waiting.length === 0 ? undefined : firstReturn(state, now);
    if (looking === undefined && returnsAt !== undefined) {
      looking = sleep(betweenLooks(returnsAt - now))
        .then(() => planAnew(input, state))
        .finally(() => (looking = undefined));
      // Awaited below only while something is out; a cancellation meanwhile reaches what is out as well.
      looking.catch(() => undefined);
    }
    return looking === undefined ? [] : [looking];
  };
}

function start(inFlight: Set<Promise<void>>, work: Promise<void>): void {
  const flight: Promise<void> = work.finally(() => inFlight.delete(flight));
  inFlight.add(flight);
}

/** Keeps a line that failed in passing on all its lanes for a while, and has it wait for them anew. */
async function keep(state: ChunkState, line: WaitingLine): Promise<void> {
  await sleep(pauseOf(line) ?? 0);
  state.waiting.push(afterPause(line));
}

/** Sends lines out and takes in what came of them. */
async function fly(input: ChunkInput, state: ChunkState, group: LineGroup): Promise<void> {
  const { kind } = group.lane;
  state.groupsInFlight[kind] += 1;
  let results: LineResult[];
  try {
    results = await serveGroup(input, group);
  } finally {
    state.groupsInFlight[kind] -= 1;
  }
  const again: WaitingLine[] = [];
  const lost: WaitingLine[] = [];
  let waitMs = 0;
  for (const line of group.lines) {
    const result = results.find((candidate) => candidate.line === line.line);
    if (result?.failure === undefined) continue;
    const next = afterFailure(state, group, line, result, result.failure);
    if (next === undefined) {
      // A caller's own fault has its outcome from the lane's activity; whatever else ends a line has none yet.
      if (result.failure.class !== 'caller_fault')
        lost.push({ ...line, attempts: withAttempt(line.attempts, result.record) });
      continue;
    }
    again.push(next.line);
    waitMs = Math.max(waitMs, next.afterMs);
  }
  if (lost.length > 0) await settle(input, lost);
  if (waitMs > 0) await sleep(waitMs);
  // In front: a line that was begun is finished before new ones are.
  state.waiting.unshift(...again);
}

/** The line as it waits for its next try, or undefined when no lane may try it again. */
function afterFailure(
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
  const attempts = failure.class === 'lane_unavailable' ? line.attempts : withAttempt(line.attempts, record);
  const decision = decide({ failure, triesOnLane: tries, now });
  if (decision.act === 'fail') return undefined;
  if (decision.act === 'again') return { line: { ...line, attempts, triesOn }, afterMs: decision.afterMs };
  const outage = outageAfter(failure, now);
  if (outage === undefined) {
    return { line: { ...line, attempts, triesOn, usedUp: new Set(line.usedUp).add(lane.laneId) }, afterMs: 0 };
  }
  state.outages.set(lane.laneId, Math.max(outage, state.outages.get(lane.laneId) ?? 0));
  // The lane is out for everybody; this line may come back to it with a clean slate.
  triesOn.delete(lane.laneId);
  return { line: { ...line, attempts, triesOn }, afterMs: 0 };
}

/** No lane will serve these lines: they get their outcome in the error file. */
async function settle({ batchId, keyId, chunkIndex }: ChunkInput, lines: readonly WaitingLine[]): Promise<void> {
  await shortActivities.settleLines({
    batchId,
    keyId,
    chunkIndex,
    lines: lines.map(carried),
  });
}

async function waitForLane(state: ChunkState): Promise<void> {
  const now = Date.now();
  await sleep(betweenLooks((nextReturn(state, now) ?? now + REPLAN_AT_MOST_EVERY_MS) - now));
}

/** Milliseconds to the next look at the lanes. */
function betweenLooks(untilReturnMs: number): number {
  return Math.min(Math.max(untilReturnMs, REPLAN_AT_LEAST_AFTER_MS), REPLAN_AT_MOST_EVERY_MS);
}

async function continueWith(input: ChunkInput, state: ChunkState): Promise<void> {
  await continueAsNew<typeof batchChunkWorkflow>({ ...input, carried: state.waiting.map(carried) });
}

function carried({ line, model, attempts, pauses }: WaitingLine): CarriedLine {
  return { line, model, attempts, pauses };
}
