import { formatTable } from '../table.ts';
import { quantile, runLoad, type Target } from './load.ts';
import { residentMegabytes } from './memory.ts';
import { DURABLE_KEY_MODEL, KEY_MODEL, PLAN_MODEL, startBenchWorld } from './setup.ts';

/** So many requests go ahead of each figure, so that connections and code are warm. */
const WARM_UP = 30;

/** Added latency one at a time, and requests a second at 10 and 50 at a time, against the stand-in called directly. */
export async function benchOverhead({ requests, soak }: { requests: number; soak: number }): Promise<void> {
  const world = await startBenchWorld();
  try {
    const gateway = { url: world.url, key: world.key };
    // What takes a millisecond needs more requests for a rate than what takes fifty.
    const targets: readonly (readonly [name: string, target: Target, times: number])[] = [
      ['stand-in, directly', { ...world.direct, model: KEY_MODEL }, 20],
      ['key lane, direct path', { ...gateway, model: KEY_MODEL }, 20],
      ['key lane, workflow', { ...gateway, model: DURABLE_KEY_MODEL }, 1],
      ['plan lane', { ...gateway, model: PLAN_MODEL }, 1],
    ];
    const rows: (string | number)[][] = [];
    let base: readonly [median: number, first: number, at10: number, at50: number] | undefined;
    for (const [name, target, times] of targets) {
      await runLoad(target, WARM_UP, 1);
      const one = await runLoad(target, requests, 1);
      const first = await runLoad(target, requests, 1, true);
      const at10 = await runLoad(target, requests * times, 10);
      const at50 = await runLoad(target, requests * times, 50);
      const median = quantile(one.latenciesMs, 0.5);
      const firstMs = quantile(first.latenciesMs, 0.5);
      const [rate10, rate50] = [rate(at10), rate(at50)];
      base ??= [median, firstMs, rate10, rate50];
      rows.push([
        name,
        median.toFixed(1),
        `+${(median - base[0]).toFixed(1)}`,
        quantile(one.latenciesMs, 0.95).toFixed(1),
        `+${(firstMs - base[1]).toFixed(1)}`,
        rate10.toFixed(1),
        rate50.toFixed(1),
        (rate10 / base[2]).toFixed(4),
      ]);
    }
    const head = ['', 'median ms', 'added', 'p95 ms', 'first token added', 'req/s at 10', 'req/s at 50', 'ratio at 10'];
    console.log(formatTable(head, rows));
    console.log(`\nMemory of everything together: ${(await residentMegabytes(world.gateway.pid)).toFixed(0)} MB`);
    if (soak > 0) {
      await runLoad({ url: world.url, key: world.key, model: PLAN_MODEL }, soak, 8);
      console.log(
        `After ${soak} more completions on a plan lane: ${(await residentMegabytes(world.gateway.pid)).toFixed(0)} MB`,
      );
    }
  } finally {
    await world.stop();
  }
}

function rate({ latenciesMs, tookMs }: { latenciesMs: readonly number[]; tookMs: number }): number {
  return latenciesMs.length / (tookMs / 1000);
}
