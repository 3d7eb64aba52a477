import { parseJson } from '../core/wire/json-object.ts';
import { splitLines } from '../core/wire/line-splitter.ts';
import type { ApiClient } from './api-client.ts';
import { progressAnswer, type Progress } from './api-shapes.ts';
import { ApiUnreachable } from './ask-again.ts';
import { CliError } from './cli-error.ts';
import type { CliIo } from './cli-io.ts';
import { progressLine } from './progress-text.ts';

/** Where no terminal is, a line of progress this often and at each change of state: a log should stay readable. */
const PLAIN_EVERY_MS = 10_000;

/** After a restart of flatlane the batch goes on, and so does the view of it. */
const AGAIN_AFTER_MS = 2_000;
const TRIES = 60;

const DATA = 'data: ';
const OVER = new Set(['completed', 'failed', 'expired', 'cancelled']);

/**
 * Shows the progress of a batch until it is over, and returns the last of it. The batch belongs to the server: it goes on when
 * this ends early.
 * @throws CliError when it is interrupted, or nobody answers for two minutes
 */
export async function followBatch(client: ApiClient, io: CliIo, batchId: string): Promise<Progress> {
  const show = createProgressDisplay(io);
  let failures = 0;
  for (;;) {
    try {
      for await (const progress of progressOf(client, batchId)) {
        failures = 0;
        show.progress(progress);
        if (OVER.has(progress.status)) {
          show.end();
          return progress;
        }
      }
    } catch (error) {
      if (io.interrupted.aborted) break;
      if (error instanceof CliError && !(error instanceof ApiUnreachable)) throw error;
      failures += 1;
      if (failures >= TRIES) throw error;
    }
    if (await isInterrupted(io)) break;
  }
  show.end();
  throw new CliError(`The batch goes on. See it again with: flatlane batches watch ${batchId}`, 130);
}

async function isInterrupted(io: CliIo): Promise<boolean> {
  return io.sleep(AGAIN_AFTER_MS).then(
    () => false,
    () => true,
  );
}

async function* progressOf(client: ApiClient, batchId: string): AsyncGenerator<Progress, void, undefined> {
  const response = await client.open(`/batches/${encodeURIComponent(batchId)}/progress`, 'text/event-stream');
  if (response.body === null) return;
  for await (const { bytes } of splitLines(response.body)) {
    const line = bytes?.toString('utf8') ?? '';
    if (!line.startsWith(DATA)) continue;
    const read = progressAnswer.safeParse(parseJson(line.slice(DATA.length)));
    if (read.success) yield read.data;
  }
}

function createProgressDisplay(io: CliIo) {
  let shown: { readonly at: number; readonly status: string } | undefined;
  return {
    progress(progress: Progress): void {
      const line = progressLine(progress);
      if (io.live !== null) {
        io.live(line);
        return;
      }
      const isDue = shown === undefined || shown.status !== progress.status || io.now() - shown.at >= PLAIN_EVERY_MS;
      if (!isDue) return;
      shown = { at: io.now(), status: progress.status };
      io.err(line);
    },
    end(): void {
      io.live?.(null);
    },
  };
}
