import { lineKey } from '../../core/contracts/ids.ts';
import type { CarriedLine } from '../../core/contracts/batch.ts';
import { costsOfFailures, NO_COSTS } from '../../lanes/prices/costs.ts';
import type { BatchChunkDoc } from '../../store/batch-chunks.ts';
import type { BatchResultDoc, BatchResultStore } from '../../store/batch-results.ts';
import type { BatchDoc } from '../../store/batches.ts';
import type { LaneLogDoc, LaneLogStore } from '../../store/lane-log.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { ChunkReader } from './load-chunk.ts';

export interface RepairLogDeps {
  readonly results: BatchResultStore;
  readonly laneLog: LaneLogStore;
  readonly ledger: LedgerStore;
  readonly chunkReader: ChunkReader;
}

/**
 * Writes the entries of the lane log that are missing at the end of a chunk: those of lines that were tried in vain until their batch was
 * cancelled or expired, and those that a crash has cut off behind stored outcomes: what is stored and what was paid is told, the
 * attempts are not known any more. Lines that no lane was asked for have no entry. Safe to repeat.
 * @param at of entries of lines that were tried in vain. Unix milliseconds.
 */
export async function repairLog(deps: RepairLogDeps, batch: BatchDoc, chunk: BatchChunkDoc, at: number): Promise<void> {
  const { results, laneLog, chunkReader } = deps;
  const { chunkIndex, firstLine, lineCount } = chunk;
  const numbers = Array.from({ length: lineCount }, (_, index) => firstLine + index);
  const logged = await laneLog.whichExist(numbers.map((line) => lineKey(batch._id, line)));
  const missing = numbers.filter((line) => !logged.has(lineKey(batch._id, line)));
  const served = missing.length === 0 ? [] : await results.readServed(batch._id, missing);
  const isServed = new Set(served.map(({ line }) => line));
  const inVain = (chunk.tried ?? []).filter(({ line }) => missing.includes(line) && !isServed.has(line));
  await laneLog.insertMissing(inVain.map((line) => entryInVain(batch, line, at)));
  if (served.length === 0) return;
  const rows = await chunkReader.readWhatIsLeft(batch._id, chunkIndex);
  const modelOf = new Map(rows.map(({ line, body }) => [line, String(body['model'])]));
  await laneLog.insertMissing(
    await Promise.all(
      served.map((result) => entryOf(deps, batch, result, modelOf.get(result.line) ?? batch.model ?? '')),
    ),
  );
}

async function entryOf(
  { ledger }: RepairLogDeps,
  batch: BatchDoc,
  result: Omit<BatchResultDoc, 'body'>,
  model: string,
): Promise<LaneLogDoc> {
  const paid = (await ledger.listOfItem(result._id)).find(({ laneId }) => laneId === result.laneId);
  return {
    ...lineOf(batch, result._id, model),
    status: result.kind === 'completed' ? 'answered' : 'failed',
    httpStatus: result.statusCode,
    laneId: result.laneId,
    // The lane may be gone by now, and its alias with it.
    laneAlias: result.laneId,
    attempts: [],
    usage: result.usage,
    ...(paid === undefined ? NO_COSTS : { costMicros: paid.costMicros, meterMicros: paid.meterMicros }),
    at: result.at,
  };
}

function entryInVain(batch: BatchDoc, { line, model, attempts }: CarriedLine, at: number): LaneLogDoc {
  return {
    ...lineOf(batch, lineKey(batch._id, line), model),
    status: 'failed',
    httpStatus: null,
    laneId: null,
    laneAlias: null,
    attempts,
    usage: null,
    ...costsOfFailures(attempts),
    at,
  };
}

function lineOf(
  batch: BatchDoc,
  _id: string,
  model: string,
): Pick<LaneLogDoc, '_id' | 'kind' | 'keyId' | 'batchId' | 'model'> {
  return { _id, kind: 'line', keyId: batch.ownerId, batchId: batch._id, model };
}
