import { CancellationScope, continueAsNew, isCancellation, patched, sleep, workflowInfo } from '@temporalio/workflow';
import type { CarriedLine, ChunkInput, LineResult } from '../core/contracts/batch.ts';
import { LOOK_WHILE_SERVING_MS, REPLAN_AT_LEAST_AFTER_MS, REPLAN_AT_MOST_EVERY_MS } from '../core/contracts/timings.ts';
import { afterFailure } from './after-failure.ts';
import {
  countGroups,
  firstReturn,
  forgetSpentConsent,
  nextReturn,
  noteTried,
  afterPause,
  pauseOf,
  withAttempt,
  takeGroup,
  takeHopeless,
  type ChunkState,
  type LineGroup,
  type WaitingLine,
} from './line-queue.ts';
import { cutLines } from './cancelled-attempt.ts';
import { fileActivities, shortActivities } from './proxies.ts';
import { refuseNewRunWhenCancelled } from './refuse-new-run.ts';
import { serveGroup } from './serve-group.ts';
import { listenForWake, type Wake } from './wake.ts';

/**
 * One chunk of a batch: each of its lines comes to an outcome, over the same lanes and by the same policy as a completion.
 * While every lane is out it waits on a timer and plans anew; nothing asks the upstream meanwhile.
 */
export async function batchChunkWorkflow(input: ChunkInput): Promise<void> {
  const wake = listenForWake();
  const lines = input.carried ?? (await loadLines(input));
  const state: ChunkState = {
    waiting: lines.map((line) => ({ ...line, usedUp: new Set(), triesOn: new Map() })),
    tried: new Map(lines.filter(({ attempts }) => attempts.length > 0).map((line) => [line.line, line])),
    cut: new Map(),
    plans: new Map(),
    outages: new Map(),
    groupsInFlight: new Map(),
    paused: false,
    priority: 'normal',
    wakes: 0,
    windowOver: false,
  };
  await planAnew(input, state);
  await run(input, state, wake);
  await fileActivities.sealChunk({ batchId: input.batchId, chunkIndex: input.chunkIndex });
}

async function loadLines({ batchId, chunkIndex }: ChunkInput): Promise<CarriedLine[]> {
  const { models } = await shortActivities.loadChunk({ batchId, chunkIndex });
  return models.flatMap(({ model, lines }) => lines.map((line) => ({ line, model, attempts: [], pauses: 0 })));
}

async function planAnew({ keyId, batchId }: ChunkInput, state: ChunkState): Promise<void> {
  // While all is out nobody waits, and the control counts all the same for what comes back.
  const models = state.waiting.length > 0 ? state.waiting.map((line) => line.model) : state.plans.keys();
  const plans = await Promise.all(
    [...new Set(models)].map((model) => shortActivities.planLanesFor({ keyId, model, batchId })),
  );
  for (const { model, lanes, control } of plans) {
    state.plans.set(model, lanes);
    state.paused = control?.paused ?? false;
    state.priority = control?.priority ?? 'normal';
  }
  // What the new plan says of a lane is newer than what was learnt before.
  state.outages.clear();
  state.windowOver = false;
}

async function run(input: ChunkInput, state: ChunkState, wake: Wake): Promise<void> {
  const inFlight = new Set<Promise<void>>();
  try {
    await serveAll(input, state, wake, inFlight);
  } catch (error) {
    // Cancelled, say: what is out comes to its end first, so that an answer that was paid for is stored before the end is.
    await Promise.allSettled(inFlight);
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => keepAttempts(input, state));
    throw error;
  }
}

/** Lines without an outcome get theirs at the end of the batch, which does not know what was tried for them. */
async function keepAttempts({ batchId, chunkIndex }: ChunkInput, { tried, cut }: ChunkState): Promise<void> {
  // Chunks that were cancelled by earlier versions have ended without the one, and before that without either.
  const isCutKept = cut.size > 0 && patched('keep-cut-attempts');
  const lines = new Map([...tried, ...(isCutKept ? cut : [])]);
  if (lines.size === 0 || !patched('keep-attempts')) return;
  await shortActivities.keepAttempts({ batchId, chunkIndex, lines: [...lines.values()] });
}

async function serveAll(input: ChunkInput, state: ChunkState, wake: Wake, inFlight: Set<Promise<void>>): Promise<void> {
  const lookout = createLookout(input, state);
  while (state.waiting.length > 0 || inFlight.size > 0) {
    if (wake.take()) {
      state.wakes += 1;
      forgetSpentConsent(state);
      await planAnew(input, state);
    }
    const hopeless = takeHopeless(state, Date.now());
    if (hopeless.length > 0) {
      const paused = hopeless.filter((line) => pauseOf(line) !== undefined);
      for (const line of paused) start(inFlight, keep(state, line));
      const given = hopeless.filter((line) => !paused.includes(line));
      if (given.length > 0) await settle(input, state, given);
      // Other lines have come back meanwhile, and what follows must not wait for a lane that none of them has left.
      continue;
    }

    const isLong = workflowInfo().continueAsNewSuggested;
    const next = (): LineGroup | undefined => (isLong || state.paused ? undefined : takeGroup(state, Date.now()));
    for (let group = next(); group !== undefined; group = next()) start(inFlight, fly(input, state, group));
    if (inFlight.size > 0) {
      await Promise.race([...inFlight, ...lookout(), wake.came()]);
    } else if (state.waiting.length > 0) {
      if (isLong) await continueWith(input, state);
      await waitForLane(state, wake);
      await planAnew(input, state);
    }
  }
}

/**
 * While lines wait, the lanes are looked at anew from time to time: one that is out may be back long before what is out
 * on another lane has landed, or before the time that it told; and one that is open and takes nothing may have lost its worker. One
 * timer at a time.
 */
function createLookout(input: ChunkInput, state: ChunkState): () => Promise<void>[] {
  let looking: Promise<void> | undefined;
  return () => {
    const now = Date.now();
    const returnsAt = state.waiting.length === 0 ? undefined : (firstReturn(state, now) ?? nextLook(now));
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

/** When lanes that are open are looked at. Batches that were begun before there was such a look go on without. */
function nextLook(now: number): number | undefined {
  return patched('look-while-serving') ? now + LOOK_WHILE_SERVING_MS : undefined;
}

function start(inFlight: Set<Promise<void>>, work: Promise<void>): void {
  // What fails stays in, and the next race throws it: else its lines would be left out without a sound. The callback is `async` so that
  // this takes as many turns as the `finally` of earlier versions: with fewer, chunks under way could be replayed in another order.
  const flight: Promise<void> = work.then(async () => void inFlight.delete(flight));
  inFlight.add(flight);
  // Raced only after lines have been settled or planned, and thrown there.
  flight.catch(() => undefined);
}

/** Keeps a line that failed in passing on all its lanes for a while, and has it wait for them anew. */
async function keep(state: ChunkState, line: WaitingLine): Promise<void> {
  await sleep(pauseOf(line) ?? 0);
  state.waiting.push(afterPause(line));
}

/** Sends lines out and takes in what came of them. */
async function fly(input: ChunkInput, state: ChunkState, group: LineGroup): Promise<void> {
  const { laneId } = group.lane;
  const { wakes } = state;
  countGroups(state, laneId, 1);
  let results: LineResult[] | null;
  try {
    results = await serveGroup(input, group, state.priority);
  } catch (error) {
    noteCut(state, group, error);
    throw error;
  } finally {
    countGroups(state, laneId, -1);
  }
  if (results === null) {
    // Planning reads the database: it is over when that answers again, and until then nothing is tried.
    await planAnew(input, state);
    state.waiting.unshift(...group.lines.map((line) => ({ ...line, ownTroubles: (line.ownTroubles ?? 0) + 1 })));
    return;
  }
  const again: WaitingLine[] = [];
  const lost: WaitingLine[] = [];
  let waitMs = 0;
  for (const line of group.lines) {
    const result = results.find((candidate) => candidate.line === line.line);
    if (result?.failure === undefined) continue;
    if (result.failure.class === 'consent_spent' && wakes !== state.wakes) {
      // The limit has changed while this was under way: it is asked for anew.
      again.push(line);
      continue;
    }
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
  for (const { line } of group.lines) state.tried.delete(line);
  for (const line of [...again, ...lost]) noteTried(state, carried(line));
  if (lost.length > 0) await settle(input, state, lost);
  if (waitMs > 0) await sleep(waitMs);
  // In front: a line that was begun is finished before new ones are.
  state.waiting.unshift(...again);
}

/** Takes in what was on its way when the chunk was cancelled: it may be paid for. */
function noteCut({ cut }: ChunkState, group: LineGroup, error: unknown): void {
  for (const { line: number, record } of cutLines(error)) {
    const line = group.lines.find(({ line }) => line === number);
    if (line !== undefined) cut.set(number, { ...carried(line), attempts: withAttempt(line.attempts, record) });
  }
}

/** No lane will serve these lines: they get their outcome in the error file. */
async function settle(
  { batchId, keyId, chunkIndex }: ChunkInput,
  { tried }: ChunkState,
  lines: readonly WaitingLine[],
): Promise<void> {
  await shortActivities.settleLines({
    batchId,
    keyId,
    chunkIndex,
    lines: lines.map(carried),
  });
  for (const { line } of lines) tried.delete(line);
}

/** Waits for the first lane that comes back, or for a change of the batch's control. What is paused waits for the latter only. */
async function waitForLane(state: ChunkState, wake: Wake): Promise<void> {
  const now = Date.now();
  const returnsAt = state.paused ? undefined : nextReturn(state, now);
  // The first look after the end of a window comes soon: it is what tells others that the batch waits, and until when.
  const soon = state.windowOver ? REPLAN_AT_LEAST_AFTER_MS : REPLAN_AT_MOST_EVERY_MS;
  await wake.sleep(Math.min(soon, betweenLooks((returnsAt ?? now + REPLAN_AT_MOST_EVERY_MS) - now)));
}

/** Milliseconds to the next look at the lanes. */
function betweenLooks(untilReturnMs: number): number {
  return Math.min(Math.max(untilReturnMs, REPLAN_AT_LEAST_AFTER_MS), REPLAN_AT_MOST_EVERY_MS);
}

async function continueWith(input: ChunkInput, state: ChunkState): Promise<void> {
  refuseNewRunWhenCancelled();
  await continueAsNew<typeof batchChunkWorkflow>({ ...input, carried: state.waiting.map(carried) });
}

function carried({ line, model, attempts, pauses, ownTroubles }: WaitingLine): CarriedLine {
  return { line, model, attempts, pauses, ...(ownTroubles === undefined ? {} : { ownTroubles }) };
}
