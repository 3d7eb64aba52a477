import type { ProviderBatchTry, SubmittedBatch } from '../../core/contracts/provider-batch.ts';
import { providerHold, providerMarker } from '../../core/contracts/provider-run.ts';
import { PROVIDER_OPERATIONS } from '../../lanes/openai/provider-operation.ts';
import { ProviderRefusalError, ProviderUnclearError } from '../../lanes/openai/provider-batches.ts';
import { toBatchBody } from '../../lanes/openai/request-body.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import type { BatchStore } from '../../store/batches.ts';
import type { ChunkReader, ChunkRow } from '../batch/load-chunk.ts';
import type { ProviderRunStore } from '../../store/provider-runs.ts';
import { findMade, findNoted, findUnclear, noteMade, type FindMadeDeps } from './find-made.ts';
import { lineId, mostAtProvider, type ProviderLane } from './provider-run.ts';
import { takeHold, type TakeHoldDeps } from './take-hold.ts';

export interface SubmitProviderBatchDeps extends FindMadeDeps, TakeHoldDeps {
  readonly providerLane: ProviderLane;
  readonly providerRuns: Pick<ProviderRunStore, 'begin' | 'made' | 'noteMade'>;
  readonly batches: Pick<BatchStore, 'find'>;
  readonly results: Pick<BatchResultStore, 'outcomes'>;
  readonly spend: TakeHoldDeps['spend'];
  readonly chunkReader: ChunkReader;
  /** Says that the work goes on, with the chunks done so far. May throw to end it. */
  readonly checkIn: (chunksDone: number) => void;
}

const NOT_ITS_TURN: SubmittedBatch = { sent: false, why: 'it is over, or another run of the batch is not' };

/**
 * Sends lines that have no outcome to the provider's own Batch API, within the consent of their batch. Safe to run twice: what
 * was made before a crash is found again by its marker.
 * @throws Error when the provider can't be reached
 */
export function createSubmitProviderBatch(deps: SubmitProviderBatchDeps) {
  const { providerLane, batches, log } = deps;

  return async function submitProviderBatch(run: ProviderBatchTry): Promise<SubmittedBatch> {
    const { batchId, lane } = run;
    const { api, priceShare } = providerLane;
    const before = await findMade(deps, run);
    if (before !== undefined) return { sent: true, providerBatchId: before };

    const batch = await batches.find(batchId);
    if (batch === null) return { sent: false, why: 'the batch is gone' };
    if (priceShare === null) return { sent: false, why: 'the owner of the lane does not want it' };
    const { lines, micros } = await survey(deps, run);
    if (lines === 0) return { sent: false, why: 'no line is left' };
    if (micros === null && batch.spend.maxMicros !== null) return { sent: false, why: 'no price is known' };
    // Before anything is paid: a run that nobody knows of would go on unseen after its batch was begun anew.
    if (!(await begin(deps, run))) return NOT_ITS_TURN;
    const hold = await takeHold(deps, batchId, providerHold(run), micros ?? 0);
    if (hold === undefined) return { sent: false, why: 'the limit of the batch is too low' };
    let isAsked = false;
    let isLate = false;
    let noted: string | undefined;
    const onUploaded = async (): Promise<void> => {
      deps.checkIn(run.endChunk - run.firstChunk);
      // Lines may go up for so long that another delivery has overtaken this one, or that nobody waits for the run any more.
      noted = await findNoted(deps, run);
      if (noted !== undefined) throw new Error('the batch of this try is made');
      isLate = !(await begin(deps, run));
      if (isLate) throw new Error('the run is over');
      isAsked = true;
    };
    try {
      const made = await api.create({
        marker: providerMarker(run),
        endpoint: batch.endpoint,
        lines: linesOf(deps, run),
        onUploaded,
        signal: deps.signal(),
      });
      return { sent: true, providerBatchId: await noteMade(deps, run, made) };
    } catch (error) {
      if (noted !== undefined) return { sent: true, providerBatchId: noted };
      const isUnclear = error instanceof ProviderUnclearError;
      if (isUnclear && error.inputFileId !== undefined) {
        const found = await findUnclear(deps, run, error.inputFileId);
        if (found !== undefined) return { sent: true, providerBatchId: found };
      }
      // A conflict without a batch is not one with the same batch, and would stay one.
      const isRefused = error instanceof ProviderRefusalError || (isUnclear && error.status === 409);
      // Else there may be a batch that nobody has told us of, of this delivery or of one that had the hold before: its money stays
      // held until it is found.
      if (hold.isNew && (!isAsked || isRefused)) await hold.giveBack();
      if (isLate) return NOT_ITS_TURN;
      if (!isRefused || error.status === 429) throw error;
      log.warn(
        { batchId, laneId: lane.laneId, status: error.status },
        'a provider takes no batch; its lines go singly',
      );
      return { sent: false, why: `the provider refuses it with ${error.status}` };
    }
  };
}

/** True when the run stands in its batch as the one that is not over. Those of earlier versions stand nowhere. */
async function begin({ providerRuns }: SubmitProviderBatchDeps, run: ProviderBatchTry): Promise<boolean> {
  const { batchId, number, lane, model, firstChunk, endChunk, takenBackAt } = run;
  return (
    number === undefined || providerRuns.begin(batchId, { number, lane, model, firstChunk, endChunk, takenBackAt })
  );
}

/** How many lines there are, and what they may cost; null where the price of one is not known. */
async function survey(
  deps: SubmitProviderBatchDeps,
  run: ProviderBatchTry,
): Promise<{ lines: number; micros: number | null }> {
  let lines = 0;
  let micros: number | null = 0;
  for await (const row of openRows(deps, run)) {
    const line = mostAtProvider(deps.providerLane, run.lane, row);
    lines += 1;
    micros = micros === null || line === null ? null : micros + line;
  }
  return { lines, micros };
}

async function* linesOf(deps: SubmitProviderBatchDeps, run: ProviderBatchTry): AsyncGenerator<string, void, undefined> {
  for await (const { line, operation, body } of openRows(deps, run)) {
    const { path } = PROVIDER_OPERATIONS[operation];
    const head = JSON.stringify({ custom_id: lineId(line), method: 'POST', url: `/v1${path}` });
    yield `${head.slice(0, -1)},"body":${toBatchBody({ body, model: run.lane.model })}}\n`;
  }
}

/** The rows of the run that have no outcome and name its model. */
async function* openRows(
  { chunkReader, results, checkIn }: SubmitProviderBatchDeps,
  { batchId, model, firstChunk, endChunk }: ProviderBatchTry,
): AsyncGenerator<ChunkRow, void, undefined> {
  for (let chunkIndex = firstChunk; chunkIndex < endChunk; chunkIndex += 1) {
    const rows = await chunkReader.read(batchId, chunkIndex);
    const [first] = rows;
    if (first === undefined) continue;
    const done = new Set((await results.outcomes(batchId, first.line, rows.length)).map(({ line }) => line));
    for (const row of rows) if (row.body['model'] === model && !done.has(row.line)) yield row;
    checkIn(chunkIndex - firstChunk + 1);
  }
}
