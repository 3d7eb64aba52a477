import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { toFile, type OpenAI } from 'openai';
import type { Apart } from './apart.ts';
import { batchLine, checkFinishedBatch, isOver, lineIds, waitForBatch, type CheckedBatch } from './batch-run.ts';
import { recordFault } from './fault-table.ts';
import type { SpawnedNode } from './spawned-node.ts';

/** Something that goes wrong when so many lines have come through. It returns when everything runs again. */
export interface Strike {
  readonly at: number;
  readonly strike: () => Promise<void>;
}

const LAST_WORDS_CHARACTERS = 3_000;

export interface FaultRun {
  readonly batch: OpenAI.Batch;
  readonly check: CheckedBatch;
  readonly wasted: number;
}

/** What the checker must find. */
export const flawless = (lines: number) => ({
  completed: lines,
  failed: 0,
  lost: [],
  twice: [],
  strangers: [],
  unbalanced: [],
});

interface Faults {
  readonly name: string;
  readonly model: string;
  readonly lines: number;
  readonly strikes: readonly Strike[];
}

/**
 * Runs a batch through faults, has it checked, and notes the row of the table.
 * @throws Error with the last words of api and worker
 */
export async function runThroughFaults(apart: Apart, faults: Faults): Promise<FaultRun> {
  try {
    return await run(apart, faults);
  } catch (cause) {
    const lastWords = (part: SpawnedNode): string => part.output().slice(-LAST_WORDS_CHARACTERS);
    const words = `the api:\n${lastWords(apart.api)}\nthe worker:\n${lastWords(apart.worker())}`;
    throw new Error(`${String(cause)}\n${words}`, { cause });
  }
}

async function run(apart: Apart, { name, model, lines, strikes }: Faults): Promise<FaultRun> {
  const { openaiClient: client, stores } = apart;
  const callsBefore = upstreamCalls(apart);
  const ids = lineIds(lines);
  const content = Buffer.from(ids.map((id) => `${batchLine(id, model)}\n`).join(''));
  const file = await client.files.create({ file: await toFile(content, 'lines.jsonl'), purpose: 'batch' });
  const { id } = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { flatlane_spill: 'now' },
  });

  let recoverySeconds = 0;
  for (const { at, strike } of strikes) {
    const seen = await waitForBatch(client, id, (batch) => isOver(batch) || done(batch) >= at);
    if (isOver(seen)) throw new Error(`the batch was over before ${at} lines were seen`);
    const struckAt = performance.now();
    await strike();
    // Lines that were counted late, or were through already, are no sign that anything works again.
    const struck = await waitForBatch(client, id, () => true);
    await waitForBatch(client, id, (batch) => isOver(batch) || done(batch) > done(struck));
    recoverySeconds = Math.max(recoverySeconds, (performance.now() - struckAt) / 1000);
  }
  const batch = await waitForBatch(client, id, isOver);
  const check = await checkFinishedBatch(client, stores, batch, ids);
  const wasted = upstreamCalls(apart) - callsBefore - lines;
  const { lost, twice } = check;
  await recordFault({ fault: name, lines, recoverySeconds, lost: lost.length, twice: twice.length, wasted });
  return { batch, check, wasted };
}

function done(batch: OpenAI.Batch): number {
  return (batch.request_counts?.completed ?? 0) + (batch.request_counts?.failed ?? 0);
}

/** Calls that the stand-ins have seen. */
function upstreamCalls({ chatgpt, openai }: Apart): number {
  return chatgpt.counts().calls + openai.counts().calls;
}

/** SIGKILL to the Codex CLIs of the worker. Returns how many there were. */
export async function killCodex(apart: Apart): Promise<number> {
  const { pid } = apart.worker();
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  let killed = 0;
  for (const child of text.trim().split(' ').filter(Boolean).map(Number)) {
    const commandLine = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '');
    if (!commandLine.includes('codex')) continue;
    process.kill(child, 'SIGKILL');
    killed += 1;
  }
  return killed;
}

/** SIGKILL to a server of the test's own. Returns when another process has taken its place. */
export async function killServer(part: { readonly pid: number | null }): Promise<void> {
  const pid = pidOf(part);
  process.kill(pid, 'SIGKILL');
  while (part.pid === null || part.pid === pid) await sleep(10);
}

/** The process id of a server of the test's own. */
export function pidOf(part: { readonly pid: number | null }): number {
  if (part.pid === null) throw new Error('the server does not run');
  return part.pid;
}
