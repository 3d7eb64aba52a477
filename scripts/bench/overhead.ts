import { formatTable } from '../table.ts';
import { quantile, runLoad, type LoadResult, type Target } from './load.ts';
import { formatMegabytes, residentMegabytes } from './memory.ts';
import { gainOf, sampleProcesses, sumByName } from './processes.ts';
import { DURABLE_KEY_MODEL, KEY_MODEL, PLAN_MODEL, startBenchWorld, type BenchWorld } from './setup.ts';

/** So many requests go ahead of each figure, so that connections and code are warm. */
const WARM_UP = 30;

/** What one way to the model comes to. */
interface Figures {
  readonly median: number;
  readonly p95: number;
  readonly first: number;
  readonly rate10: number;
  readonly rate50: number;
  /**
   * Processor time of flatlane's own process, and of its database, in milliseconds for 1,000 requests at 50 at a time; undefined
   * where it can't be read.
   */
  readonly flatlaneCpuMs: number | undefined;
  readonly databaseCpuMs: number | undefined;
}

/**
 * Added latency one at a time, and requests a second at 10 and 50 at a time, against the stand-in called directly. The load
 * generator and the stand-in run on the same machine: `ratio` and the processor time are what can be compared between two runs.
 */
export async function benchOverhead(options: { requests: number; soak: number; direct: boolean }): Promise<void> {
  const { requests, soak } = options;
  const world = await startBenchWorld();
  try {
    const gateway = { url: world.url, key: world.key };
    // What takes a millisecond needs more requests for a rate than what takes fifty.
    const quick: readonly (readonly [name: string, target: Target, times: number])[] = [
      ['stand-in, directly', { ...world.direct, model: KEY_MODEL }, 20],
      ['key lane, direct path', { ...gateway, model: KEY_MODEL }, 20],
    ];
    const targets: typeof quick = options.direct
      ? quick
      : [
          ...quick,
          ['key lane, workflow', { ...gateway, model: DURABLE_KEY_MODEL }, 1],
          ['plan lane', { ...gateway, model: PLAN_MODEL }, 1],
        ];
    const rows: string[][] = [];
    let base: Figures | undefined;
    for (const [name, target, times] of targets) {
      const figures = await measure(world, target, requests, times);
      base ??= figures;
      rows.push(rowOf(name, figures, base));
    }
    console.log(formatTable(HEAD, rows));
    const memory = async (): Promise<string> => formatMegabytes(await residentMegabytes(world.gateway.pid));
    console.log(`\nMemory of everything together: ${await memory()}`);
    if (soak > 0) {
      await runLoad({ ...gateway, model: PLAN_MODEL }, soak, 8);
      console.log(`After ${soak} more completions on a plan lane: ${await memory()}`);
    }
  } finally {
    await world.stop();
  }
}

async function measure(world: BenchWorld, target: Target, requests: number, times: number): Promise<Figures> {
  await runLoad(target, WARM_UP * times, 10);
  const one = await runLoad(target, requests, 1);
  const first = await runLoad(target, requests, 1, true);
  const at10 = await runLoad(target, requests * times, 10);
  const before = await cpuMs(world);
  const at50 = await runLoad(target, requests * times, 50);
  const after = await cpuMs(world);
  const spent = (name: string): number | undefined => {
    const gained = gainOf(name, before, after);
    return gained === undefined ? undefined : (gained / at50.latenciesMs.length) * 1000;
  };
  return {
    median: quantile(one.latenciesMs, 0.5),
    p95: quantile(one.latenciesMs, 0.95),
    first: quantile(first.latenciesMs, 0.5),
    rate10: rate(at10),
    rate50: rate(at50),
    flatlaneCpuMs: spent('flatlane'),
    databaseCpuMs: spent('mongodb'),
  };
}

async function cpuMs({ gateway, accounts }: BenchWorld): Promise<Map<string, number>> {
  return sumByName(await sampleProcesses(gateway.pid, accounts), 'cpuMs');
}

const HEAD = [
  '',
  'median ms',
  'added',
  'p95 ms',
  'first token added',
  'req/s at 10',
  'req/s at 50',
  'ratio at 10',
  'ratio at 50',
  'flatlane CPU ms by 1,000',
  'database CPU ms by 1,000',
];

function rowOf(name: string, figures: Figures, base: Figures): string[] {
  return [
    name,
    figures.median.toFixed(1),
    `+${(figures.median - base.median).toFixed(1)}`,
    figures.p95.toFixed(1),
    `+${(figures.first - base.first).toFixed(1)}`,
    figures.rate10.toFixed(1),
    figures.rate50.toFixed(1),
    (figures.rate10 / base.rate10).toFixed(4),
    (figures.rate50 / base.rate50).toFixed(4),
    figures.flatlaneCpuMs?.toFixed(0) ?? 'n/a',
    figures.databaseCpuMs?.toFixed(0) ?? 'n/a',
  ];
}

function rate({ latenciesMs, tookMs }: LoadResult): number {
  return latenciesMs.length / (tookMs / 1000);
}
