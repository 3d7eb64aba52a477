import { checkBatch } from '../check-batch.ts';
import { formatTable } from '../table.ts';
import { formatMegabytes, residentMegabytes } from './memory.ts';
import { benchRows } from './rows.ts';
import { KEY_MODEL, PLAN_MODEL, startBenchWorld, type BenchWorld } from './setup.ts';

/** Rows a second from the upload to the results, on two plan lanes and on a key lane. */
export async function benchBatch({ rows, keyRows }: { rows: number; keyRows: number }): Promise<void> {
  const world = await startBenchWorld();
  try {
    const table = [
      await runBatch(world, 'two plan lanes', PLAN_MODEL, rows),
      await runBatch(world, 'key lane', KEY_MODEL, keyRows),
    ];
    console.log(
      formatTable(['', 'rows', 'rows/s', 'to in_progress s', 'rows done to files s', 'lost', 'twice'], table),
    );
    console.log(`\nMemory of everything together: ${formatMegabytes(await residentMegabytes(world.gateway.pid))}`);
  } finally {
    await world.stop();
  }
}

async function runBatch(world: BenchWorld, name: string, model: string, rows: number): Promise<(string | number)[]> {
  const { ids, lines } = benchRows(rows, model);
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  let inProgressAt: number | undefined;
  let allDoneAt: number | undefined;
  const { id } = await world.api.startBatch(lines, 'bench.jsonl');
  const batch = await world.api.waitForBatch(
    id,
    ({ status, request_counts: { completed, failed, total } }) => {
      if (status !== 'validating') inProgressAt ??= seconds();
      if (total > 0 && completed + failed === total) allDoneAt ??= seconds();
    },
    100,
  );
  const took = seconds();
  const check = checkBatch(
    ids,
    await world.api.resultLines(batch.output_file_id),
    await world.api.resultLines(batch.error_file_id),
  );
  if (check.completed !== rows)
    throw new Error(`only ${check.completed} of ${rows} rows were answered (${batch.status})`);
  return [
    name,
    rows,
    (rows / took).toFixed(1),
    (inProgressAt ?? took).toFixed(2),
    (took - (allDoneAt ?? took)).toFixed(2),
    check.lost.length,
    check.twice.length,
  ];
}
