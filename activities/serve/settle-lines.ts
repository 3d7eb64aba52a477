import type { SettleLinesInput } from '../../core/contracts/batch.ts';
import type { AttemptRecord, FailureClass } from '../../core/contracts/failure.ts';
import { tellingFailure } from '../../core/contracts/telling-failure.ts';
import { costsOfFailures } from '../../lanes/prices/costs.ts';
import type { ChunkReader } from '../batch/load-chunk.ts';
import type { Clock } from '../../core/clock.ts';
import { failureAnswer } from '../../core/failure-answer.ts';
import { toLineEntry } from './line-entry.ts';
import type { LineRecorder } from './line-recorder.ts';

interface SettleLinesDeps {
  readonly chunkReader: ChunkReader;
  readonly recorder: LineRecorder;
  readonly clock: Clock;
}

/** Gives lines that no lane could answer their outcome: an HTTP failure in the error file, in our words. Safe to repeat. */
export function createSettleLines({ chunkReader, recorder, clock }: SettleLinesDeps) {
  return async function settleLines({ batchId, keyId, chunkIndex, lines }: SettleLinesInput): Promise<void> {
    const rows = new Map((await chunkReader.read(batchId, chunkIndex)).map((row) => [row.line, row]));
    await Promise.all(
      lines.map(async ({ line, model, attempts }) => {
        const row = rows.get(line);
        if (row === undefined) throw new Error(`line ${line} is not in chunk ${chunkIndex}`);
        const told = tellingFailure(attempts, classOf);
        const error = failureAnswer(told === undefined ? 'process_lost' : classOf(told), told);
        const entry = toLineEntry({
          batchId,
          keyId,
          line,
          customId: row.customId,
          model,
          kind: 'failed',
          status: error.status,
          body: JSON.stringify(error.body),
          lane: null,
          attempts,
          usage: null,
          costs: costsOfFailures(attempts),
          at: clock.now(),
        });
        await recorder.record(batchId, entry);
      }),
    );
  };
}

/** A line that was answered and comes here all the same lost its answer on the way. */
function classOf({ outcome }: AttemptRecord): FailureClass {
  return outcome === 'answered' ? 'process_lost' : outcome;
}
