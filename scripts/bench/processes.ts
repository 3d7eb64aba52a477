import { readdir, readFile, readlink } from 'node:fs/promises';

/** One process of flatlane's, as Linux counts it. */
export interface ProcessSample {
  readonly pid: number;
  /** What it is: `flatlane`, `mongodb`, `temporal`, `leash` (ends Temporal with its starter), `codex <account>`, or its command. */
  readonly name: string;
  readonly residentMegabytes: number;
  /** Processor time since its start, in milliseconds. */
  readonly cpuMs: number;
}

/** Linux counts processor time in hundredths of a second, whatever the kernel's own tick is. */
const MS_PER_TICK = 10;

/** Where Linux shows its processes. macOS has nothing of the kind. */
export const PROC = '/proc';

/**
 * All that a process has started, itself included; nothing where processes can't be read.
 * @param accounts aliases by lane id: an account's process works in a folder with its id in the path
 */
export async function sampleProcesses(
  rootPid: number,
  accounts: ReadonlyMap<string, string> = new Map(),
  proc = PROC,
): Promise<ProcessSample[]> {
  const found = new Map<number, { parent: number; sample: ProcessSample }>();
  for (const entry of await readdir(proc).catch(() => [])) {
    const pid = Number(entry);
    const read = Number.isInteger(pid) ? await readProcess(pid, rootPid, accounts) : undefined;
    if (read !== undefined) found.set(pid, read);
  }
  const isOurs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = found.get(at)?.parent)
      if (at === rootPid) return true;
    return false;
  };
  return [...found.values()].map(({ sample }) => sample).filter(({ pid }) => isOurs(pid));
}

async function readProcess(
  pid: number,
  rootPid: number,
  accounts: ReadonlyMap<string, string>,
): Promise<{ parent: number; sample: ProcessSample } | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ');
    // What comes behind the name, which stands in parentheses and may hold anything: state, parent, …, user and system ticks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
    const residentMegabytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
    const folder = command.includes('app-server') ? await readlink(`/proc/${pid}/cwd`) : '';
    const name = pid === rootPid ? 'flatlane' : nameOf(command, folder, accounts);
    return { parent: Number(fields[1]), sample: { pid, name, residentMegabytes, cpuMs } };
  } catch {
    // It ended meanwhile, or is not ours to look at.
    return undefined;
  }
}

function nameOf(command: string, folder: string, accounts: ReadonlyMap<string, string>): string {
  const program = command.split(' ')[0]?.split('/').at(-1) ?? '';
  if (command.includes('app-server')) {
    const account = [...accounts].find(([id]) => folder.includes(id))?.[1];
    return account === undefined ? 'codex' : `codex ${account}`;
  }
  if (command.includes('leash.mjs')) return 'leash';
  if (program.startsWith('mongod') || (program === 'java' && /mongo/i.test(command))) return 'mongodb';
  return program.startsWith('temporal') ? 'temporal' : program;
}

/** One figure of all processes of a name, added up. */
export function sumByName(
  samples: readonly ProcessSample[],
  figure: 'residentMegabytes' | 'cpuMs',
): Map<string, number> {
  const sums = new Map<string, number>();
  for (const sample of samples) sums.set(sample.name, (sums.get(sample.name) ?? 0) + sample[figure]);
  return sums;
}

/** What processes of a name have added to a figure between two readings; undefined where they were not read. */
export function gainOf(
  name: string,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): number | undefined {
  const [from, to] = [before.get(name), after.get(name)];
  return from === undefined || to === undefined ? undefined : to - from;
}
