import { MongoBulkWriteError, type Db } from 'mongodb';
import { lineKey } from '../core/contracts/ids.ts';
import type { TokenUsage } from '../core/lane-port.ts';
import type { LineOutcome } from '../core/wire/batch-output-line.ts';
import { isDuplicateKey } from './database.ts';

/** The one outcome of a line. Its key makes it the only one: the first insert stands, whatever comes later. */
export interface BatchResultDoc extends LineOutcome {
  readonly batchId: string;
  /** Counts from 1. */
  readonly line: number;
  /** completed: into the output file; failed: into the error file. */
  readonly kind: 'completed' | 'failed';
  readonly laneId: string | null;
  readonly usage: TokenUsage | null;
  /** Unix milliseconds. */
  readonly at: number;
}

/** What counting needs of an outcome. */
export type OutcomeCount = Pick<BatchResultDoc, 'line' | 'kind' | 'usage'>;

export interface StoredLines {
  /** The lines whose result is new. */
  readonly stored: readonly number[];
  /** The lines that had a result already. */
  readonly duplicates: readonly number[];
}

/** The keys of consecutive lines: looked up one by one in the `_id` index, where a range would be a scan when embedded. */
function keysOf(batchId: string, firstLine: number, lineCount: number): string[] {
  return Array.from({ length: lineCount }, (_, index) => lineKey(batchId, firstLine + index));
}

/** Outcomes of lines. Index: `_id` (`lineKey`). */
export function createBatchResultStore(db: Db) {
  const results = db.collection<BatchResultDoc>('batch_results');
  return {
    /** Stores a line's outcome unless it has one. */
    async insertOnce(result: BatchResultDoc): Promise<'stored' | 'duplicate'> {
      try {
        await results.insertOne(result);
        return 'stored';
      } catch (error) {
        if (isDuplicateKey(error)) return 'duplicate';
        throw error;
      }
    },

    /** Stores outcomes of many lines, each unless it has one, and says which were new. */
    async insertMany(batch: readonly BatchResultDoc[]): Promise<StoredLines> {
      if (batch.length === 0) return { stored: [], duplicates: [] };
      try {
        await results.insertMany([...batch], { ordered: false });
        return { stored: batch.map(({ line }) => line), duplicates: [] };
      } catch (error) {
        if (!(error instanceof MongoBulkWriteError)) throw error;
        const failures = [error.writeErrors].flat();
        if (failures.length === 0 || !failures.every((failure) => isDuplicateKey(failure))) throw error;
        const failed = new Set(failures.map(({ index }) => index));
        return {
          stored: batch.filter((_, index) => !failed.has(index)).map(({ line }) => line),
          duplicates: batch.filter((_, index) => failed.has(index)).map(({ line }) => line),
        };
      }
    },

    find: (batchId: string, line: number): Promise<BatchResultDoc | null> =>
      results.findOne({ _id: lineKey(batchId, line) }),

    /** Which of these lines have an outcome, and what is counted of it; in no order. */
    outcomes: (batchId: string, firstLine: number, lineCount: number): Promise<OutcomeCount[]> =>
      results
        .find<OutcomeCount>({ _id: { $in: keysOf(batchId, firstLine, lineCount) } })
        .project<OutcomeCount>({ _id: 0, line: 1, kind: 1, usage: 1 })
        .toArray(),

    /** The whole outcomes of one kind among these lines, in line order. */
    async readKind(
      batchId: string,
      kind: BatchResultDoc['kind'],
      firstLine: number,
      lineCount: number,
    ): Promise<BatchResultDoc[]> {
      const found = await results.find({ _id: { $in: keysOf(batchId, firstLine, lineCount) }, kind }).toArray();
      return found.sort((a, b) => a.line - b.line);
    },
  };
}

export type BatchResultStore = ReturnType<typeof createBatchResultStore>;
