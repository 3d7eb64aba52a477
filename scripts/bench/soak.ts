import { Agent, request } from 'undici';
import { formatTable } from '../table.ts';
import { createScriptAccount, mishapOf, type ScriptAccount } from './mixed-failures.ts';
import { assertMemoryIsReadable } from './memory.ts';
import { sampleProcesses, sumByName } from './processes.ts';
import { PLAN_MODEL, startBenchWorld, type BenchWorld } from './setup.ts';

/** Two accounts with four turns each. */
const AT_A_TIME = 8;

/** Completions between two readings. */
const ROUND = 500;

/** The other one's process lives from the first completion to the last, so that what it gains can be seen. */
const KILLED_ACCOUNT = 'work';

/** A caller who leaves does so after this long. */
const LEAVES_AFTER_MS = 300;

/** A window that is used up is back after this long, so that the accounts go on to take turns. */
const WINDOW_RESETS_IN_SECONDS = 1;

/** About 1 KB, as real prompts are. */
const PROMPT = 'Summarise this remark of a customer in one sentence. '.repeat(18);

type Tally = Map<string, number>;

/**
 * How the memory of each process goes over many completions on two plan lanes with mixed failures: a window that ends, a 500, a
 * stream cut in half, a burst limit, callers who leave, and a Codex process that is killed.
 */
export async function benchMemory({ completions }: { completions: number }): Promise<void> {
  await assertMemoryIsReadable();
  const world = await startBenchWorld();
  const dispatcher = new Agent({ connections: AT_A_TIME });
  const readings: Reading[] = [];
  const tally: Tally = new Map();
  const startedAt = performance.now();
  try {
    const script = createScriptAccount(world.control);
    for (const alias of world.accounts.values()) await script(alias, { resetsInSeconds: WINDOW_RESETS_IN_SECONDS });
    for (let done = 0; done < completions;) {
      const until = Math.min(completions, done + ROUND);
      await runRound(world, { script, dispatcher, tally }, done, until);
      done = until;
      readings.push(await read(world, done));
      console.log(lineOf(readings.at(-1), (performance.now() - startedAt) / 1000));
    }
  } finally {
    await dispatcher.close();
    await world.stop();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  report(readings);
  const outcomes = [...tally].map(([outcome, count]) => `${count} ${outcome}`);
  console.log(`\n${(completions / seconds).toFixed(1)} completions/s. What callers got: ${outcomes.join(', ')}.`);
}

interface Reading {
  readonly done: number;
  readonly megabytes: ReadonlyMap<string, number>;
}

async function read(world: BenchWorld, done: number): Promise<Reading> {
  const samples = await sampleProcesses(world.gateway.pid, world.accounts);
  return { done, megabytes: sumByName(samples, 'residentMegabytes') };
}

interface Tools {
  readonly script: ScriptAccount;
  readonly dispatcher: Agent;
  readonly tally: Tally;
}

async function runRound(world: BenchWorld, tools: Tools, from: number, until: number): Promise<void> {
  let next = from;
  const sender = async (): Promise<void> => {
    while (next < until) {
      const index = next;
      next += 1;
      const outcome = await sendOne(world, tools, index);
      tools.tally.set(outcome, (tools.tally.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, sender));
}

/** @returns the HTTP status, or `left` for a caller who did not wait */
async function sendOne(world: BenchWorld, { script, dispatcher }: Tools, index: number): Promise<string> {
  const mishap = mishapOf(index);
  const hangs = mishap === 'hang';
  if (mishap === 'kill') await killCodex(world, KILLED_ACCOUNT);
  else if (mishap !== undefined && !hangs) await script(index % 40 < 20 ? 'home' : 'work', { failNext: [mishap] });
  const stream = index % 3 === 0;
  const signal = hangs ? AbortSignal.timeout(LEAVES_AFTER_MS) : undefined;
  try {
    const { statusCode, body } = await request(`${world.url}/chat/completions`, {
      dispatcher,
      method: 'POST',
      headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: PLAN_MODEL,
        stream,
        messages: [{ role: 'user', content: `${PROMPT} ${hangs ? '[[hang]]' : ''} id=${index}` }],
      }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await body.text();
    // A streamed answer that broke off says so in its last event.
    return stream && statusCode === 200 && !text.endsWith('[DONE]\n\n') ? 'broken off' : String(statusCode);
  } catch (error) {
    if (signal?.aborted === true) return 'left';
    throw error;
  }
}

async function killCodex({ gateway, accounts }: BenchWorld, alias: string): Promise<void> {
  const samples = await sampleProcesses(gateway.pid, accounts);
  const victim = samples.find(({ name }) => name === `codex ${alias}`);
  // One that was killed a moment ago may not be back.
  if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
}

function lineOf(reading: Reading | undefined, seconds: number): string {
  const all = [...(reading?.megabytes ?? [])].map(([name, size]) => `${name} ${size.toFixed(0)}`).sort();
  return `${reading?.done} completions, ${seconds.toFixed(0)} s: ${all.join(', ')} MB`;
}

/** The readings as a table, with what a process gained by 1,000 completions, over all and over the second half. */
function report(readings: readonly Reading[]): void {
  const names = [...new Set(readings.flatMap(({ megabytes }) => [...megabytes.keys()]))].sort();
  const sizeOf = (reading: Reading, name: string): number => reading.megabytes.get(name) ?? 0;
  const total = (reading: Reading): number => names.reduce((sum, name) => sum + sizeOf(reading, name), 0);
  const rows = readings.map((reading) => [
    String(reading.done),
    ...names.map((name) => sizeOf(reading, name).toFixed(0)),
    total(reading).toFixed(0),
  ]);
  const half = readings.slice(Math.floor(readings.length / 2));
  const slopes = (of: readonly Reading[]): string[] => [
    ...names.map((name) => slopeOf(of, (reading) => sizeOf(reading, name))),
    slopeOf(of, total),
  ];
  rows.push(['MB by 1,000', ...slopes(readings)], ['second half', ...slopes(half)]);
  console.log(`\n${formatTable(['completions', ...names.map((name) => `${name} MB`), 'all MB'], rows)}`);
}

/** Least squares: megabytes by 1,000 completions. A process that was killed in between began anew, which shows in the table. */
function slopeOf(readings: readonly Reading[], sizeOf: (reading: Reading) => number): string {
  if (readings.length < 2) return '-';
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(readings.map(({ done }) => done));
  const y = mean(readings.map(sizeOf));
  const above = readings.reduce((sum, reading) => sum + (reading.done - x) * (sizeOf(reading) - y), 0);
  const below = readings.reduce((sum, reading) => sum + (reading.done - x) ** 2, 0);
  return ((above / below) * 1000).toFixed(1);
}
