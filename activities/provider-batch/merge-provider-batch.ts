import type { Clock } from '../../core/clock.ts';
import type { AttemptRecord } from '../../core/contracts/failure.ts';
import { lineKey } from '../../core/contracts/ids.ts';
import type { ProviderBatchRun } from '../../core/contracts/provider-batch.ts';
import { providerHold } from '../../core/contracts/provider-run.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import { splitLines } from '../../core/wire/line-splitter.ts';
import { ProviderRefusalError } from '../../lanes/openai/provider-batches.ts';
import { costsOfFailures, type Costs } from '../../lanes/prices/costs.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { ChunkReader } from '../batch/load-chunk.ts';
import { toLineEntry } from '../serve/line-entry.ts';
import type { LineRecorder } from '../serve/line-recorder.ts';
import { mostAtProvider, type ProviderLane } from './provider-run.ts';
import { readResultLine, type Place, type ResultLine } from './read-result-line.ts';

export interface MergeProviderBatchDeps {
  readonly providerLane: ProviderLane;
  readonly spend: Pick<BatchSpendStore, 'find' | 'settle'>;
  readonly chunkReader: ChunkReader;
  readonly recorder: LineRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  /** Says that the work goes on, with the lines done so far. May throw to end it. */
  readonly checkIn: (linesDone: number) => void;
  /** That of the activity under way: it ends what is under way at the provider. */
  readonly signal: () => AbortSignal;
}

/** Lines that are stored together. */
const LINES_AT_A_TIME = 100;

/**
 * Takes the outcome of a provider's batch into the batch that it was a part of: answers, and refusals that are the caller's
 * own fault. Lines that failed otherwise keep their chance with a call. Safe to run twice: a line's outcome and what it cost
 * are stored once. What may have been paid and can't be known counts with the most that it may be: all that is held, where the
 * provider's batch is not over, is gone, or has said what nobody can read.
 * @throws Error when the provider can't be reached
 */
export function createMergeProviderBatch(deps: MergeProviderBatchDeps) {
  const { providerLane: lane, spend, clock, log } = deps;

  return async function mergeProviderBatch(run: ProviderBatchRun): Promise<void> {
    const batch = await unlessGone(lane.api.read(run.providerBatchId, deps.signal()));
    const { inputFileId = null, outputFileId = null, errorFileId = null } = batch ?? {};
    const isOver = batch !== undefined && batch.status !== 'running';
    const rows = await rowsOf(deps, run, lane);
    let paidMicros = 0;
    let isKnown = isOver;
    for (const fileId of [outputFileId, errorFileId]) {
      if (fileId === null) continue;
      const content = await unlessGone(lane.api.content(fileId, deps.signal()));
      // A file that is gone was taken in before, when nothing is held any more; else nobody knows what was in it.
      const merged = content === undefined ? undefined : await mergeFile(deps, run, lane, content, rows);
      paidMicros += merged?.paidMicros ?? 0;
      isKnown &&= merged?.isKnown ?? false;
    }
    const hold = providerHold(run);
    const held = (await spend.find(run.batchId)).holds[hold];
    if (held !== undefined)
      await spend.settle(run.batchId, hold, held, isKnown ? paidMicros : Math.max(held, paidMicros));
    for (const fileId of [inputFileId, outputFileId, errorFileId]) {
      // One that is still at work may need them.
      if (!isOver || fileId === null || fileId === '') continue;
      await lane.api
        .removeFile(fileId)
        .catch((error: unknown) => log.warn({ err: error, batchId: run.batchId }, 'a file stays at the provider'));
    }
    log.info(
      { batchId: run.batchId, laneId: run.lane.laneId, at: clock.now(), paidMicros },
      'a provider’s batch is in',
    );
  };
}

/** What the provider does not know any more is undefined. */
async function unlessGone<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ProviderRefusalError && error.status === 404) return undefined;
    throw error;
  }
}

/** The lines of the run by their numbers, without their bodies. */
async function rowsOf(
  { chunkReader, checkIn }: MergeProviderBatchDeps,
  { batchId, firstChunk, endChunk, lane: ref }: ProviderBatchRun,
  lane: ProviderLane,
): Promise<ReadonlyMap<number, Place>> {
  const rows = new Map<number, Place>();
  for (let chunkIndex = firstChunk; chunkIndex < endChunk; chunkIndex += 1) {
    for (const row of await chunkReader.read(batchId, chunkIndex)) {
      const { line, customId, operation } = row;
      const mostMicros = mostAtProvider(lane, ref, row) ?? 0;
      rows.set(line, { line, customId, operation, mostMicros, askedTier: row.body['service_tier'] });
    }
    checkIn(rows.size);
  }
  return rows;
}

/** Stores the outcomes of one result file. Returns what they cost, and whether that is all of it. */
async function mergeFile(
  deps: MergeProviderBatchDeps,
  run: ProviderBatchRun,
  lane: ProviderLane,
  content: AsyncIterable<Uint8Array>,
  rows: ReadonlyMap<number, Place>,
): Promise<{ readonly paidMicros: number; readonly isKnown: boolean }> {
  let paidMicros = 0;
  let isKnown = true;
  let writing: Promise<void>[] = [];
  try {
    for await (const { bytes, number } of splitLines(content)) {
      const said = bytes === null ? 'unreadable' : readResultLine(bytes, rows);
      isKnown &&= said !== 'unreadable';
      if (said === undefined || said === 'unreadable') continue;
      if (said.kind === 'lost') {
        paidMicros += said.place.mostMicros;
        continue;
      }
      const { costs, entry } = toEntry(deps, run, lane, said);
      paidMicros += costs.costMicros ?? said.place.mostMicros;
      const written = deps.recorder.record(run.batchId, entry);
      // One that fails while nobody waits for it must not bring the process down; whoever waits gets the error as well.
      written.catch(() => undefined);
      writing.push(written);
      if (writing.length < LINES_AT_A_TIME) continue;
      await Promise.all(writing);
      writing = [];
      deps.checkIn(number);
    }
    await Promise.all(writing);
  } finally {
    // When the file breaks off, too: nothing is written any more once the activity is over.
    await Promise.allSettled(writing);
  }
  return { paidMicros, isKnown };
}

function toEntry(
  { clock }: MergeProviderBatchDeps,
  run: ProviderBatchRun,
  lane: ProviderLane,
  said: Exclude<ResultLine, { readonly kind: 'lost' }>,
) {
  const at = clock.now();
  const isAnswer = said.kind === 'answer';
  const usage = isAnswer ? said.usage : null;
  const attempts: AttemptRecord[] = [
    {
      laneId: run.lane.laneId,
      attempt: run.attempt,
      outcome: isAnswer ? 'answered' : 'caller_fault',
      reachedUpstream: true,
      startedAt: at,
      durationMs: 0,
      reason: 'in a batch of the provider',
      ...(!isAnswer && said.mayBeBilled ? { costUnknown: true } : {}),
    },
  ];
  const costs = isAnswer ? costsOfAnswer(lane, run.lane.model, usage) : costsOfFailures(attempts);
  const { line, customId } = said.place;
  const entry = toLineEntry({
    batchId: run.batchId,
    keyId: run.keyId,
    line,
    customId,
    model: run.model,
    kind: isAnswer ? 'completed' : 'failed',
    status: isAnswer ? 200 : said.status,
    body: said.body,
    lane: run.lane,
    attempts,
    usage,
    costs,
    ...(isAnswer ? { ledgerKey: `${lineKey(run.batchId, line)}#${run.providerBatchId}` } : {}),
    at,
  });
  return { costs, entry };
}

/** At the provider's share of the usual price. */
function costsOfAnswer({ costMicros, priceShare }: ProviderLane, model: string, usage: TokenUsage | null): Costs {
  const meterMicros = costMicros(model, usage);
  return { costMicros: meterMicros === null ? null : Math.round(meterMicros * (priceShare ?? 1)), meterMicros };
}
