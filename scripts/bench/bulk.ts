import { setTimeout as sleep } from 'node:timers/promises';
import { checkBatch } from '../check-batch.ts';
import { formatTable } from '../table.ts';
import { quantile, runLoad } from './load.ts';
import { formatMegabytes, ownMegabytes } from './memory.ts';
import { benchRows } from './rows.ts';
import { DURABLE_KEY_MODEL, KEY_MODEL, startBenchWorld, type BenchWorld } from './setup.ts';

/** Status, progress and memory are looked at so often while a batch runs. */
const LOOK_EVERY_MS = 250;

/** An interactive request goes to the lane of the batch so often. */
const INTERACTIVE_EVERY_MS = 500;

/** Interactive requests before the batches: what they take when nothing else is going on. */
const IDLE_REQUESTS = 60;

interface BulkRun {
  readonly rows: number;
  readonly seconds: number;
  readonly toInProgressS: number;
  readonly toFilesS: number;
  readonly statusMs: readonly number[];
  readonly progressMs: readonly number[];
  readonly interactiveMs: readonly number[];
  readonly peakMegabytes: number;
}

/**
 * Batches of growing size on a key lane: rows a second, what status and progress take meanwhile, what interactive requests of
 * the same lane see, and the memory of the process that holds api and worker.
 */
export async function benchBulk({ sizes }: { sizes: readonly number[] }): Promise<void> {
  const world = await startBenchWorld();
  try {
    const target = { url: world.url, key: world.key, model: DURABLE_KEY_MODEL };
    await runLoad(target, 20, 1);
    const idle = (await runLoad(target, IDLE_REQUESTS, 1)).latenciesMs;
    const runs: BulkRun[] = [];
    for (const rows of sizes) runs.push(await runBulk(world, rows));
    console.log(formatTable(HEAD, runs.map(toRow)));
    console.log(`\nInteractive requests on the same lane when idle: median ${ms(idle, 0.5)}, p95 ${ms(idle, 0.95)} ms`);
  } finally {
    await world.stop();
  }
}

const HEAD = [
  'rows',
  'rows/s',
  'ms a row',
  'to in_progress s',
  'last row to files s',
  'status p50/p95 ms',
  'progress p50/p95 ms',
  'interactive p50/p95 ms',
  'api + worker, peak',
];

function toRow(run: BulkRun): (string | number)[] {
  return [
    run.rows,
    (run.rows / run.seconds).toFixed(0),
    ((run.seconds / run.rows) * 1000).toFixed(2),
    run.toInProgressS.toFixed(1),
    run.toFilesS.toFixed(1),
    `${ms(run.statusMs, 0.5)} / ${ms(run.statusMs, 0.95)}`,
    `${ms(run.progressMs, 0.5)} / ${ms(run.progressMs, 0.95)}`,
    `${ms(run.interactiveMs, 0.5)} / ${ms(run.interactiveMs, 0.95)}`,
    formatMegabytes(run.peakMegabytes),
  ];
}

function ms(values: readonly number[], share: number): string {
  return values.length === 0 ? '-' : quantile(values, share).toFixed(0);
}

async function runBulk(world: BenchWorld, rows: number): Promise<BulkRun> {
  const { ids, lines } = benchRows(rows, KEY_MODEL);
  const seen = { statusMs: [] as number[], progressMs: [] as number[], interactiveMs: [] as number[] };
  let peakMegabytes = 0;
  let inProgressAt: number | undefined;
  let lastRowAt: number | undefined;
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const { id } = await world.api.startBatch(lines, 'bulk.jsonl');
  const over = new AbortController();
  const callers = callNowAndThen(world, seen.interactiveMs, over.signal);

  const batch = await world.api.waitForBatch(
    id,
    ({ status, request_counts: { completed, failed, total } }) => {
      if (status !== 'validating') inProgressAt ??= seconds();
      if (total > 0 && completed + failed === total) lastRowAt ??= seconds();
    },
    LOOK_EVERY_MS,
    async () => {
      seen.statusMs.push(await timed(() => world.api.batch(id)));
      seen.progressMs.push(await timed(() => world.api.get(`/batches/${id}/progress`)));
      peakMegabytes = Math.max(peakMegabytes, await ownMegabytes(world.gateway.pid));
    },
  );
  const took = seconds();
  over.abort();
  await callers;
  const output = await world.api.resultLines(batch.output_file_id);
  const { completed } = checkBatch(ids, output, await world.api.resultLines(batch.error_file_id));
  if (completed !== rows) throw new Error(`only ${completed} of ${rows} rows were answered (${batch.status})`);
  return {
    rows,
    seconds: took,
    toInProgressS: inProgressAt ?? took,
    toFilesS: took - (lastRowAt ?? took),
    peakMegabytes,
    ...seen,
  };
}

async function callNowAndThen(world: BenchWorld, latenciesMs: number[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const target = { url: world.url, key: world.key, model: DURABLE_KEY_MODEL };
    latenciesMs.push(...(await runLoad(target, 1, 1)).latenciesMs);
    await sleep(INTERACTIVE_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
