import { readFile } from 'node:fs/promises';
import { PROC, sampleProcesses } from './processes.ts';

/** Resident memory of a process and of all that it started, in megabytes, as Linux counts it; 0 where it can't be read. */
export async function residentMegabytes(rootPid: number, proc = PROC): Promise<number> {
  const samples = await sampleProcesses(rootPid, new Map(), proc);
  return samples.reduce((sum, sample) => sum + sample.residentMegabytes, 0);
}

/** An amount of memory as it is shown. No process takes none: it could not be read. */
export function formatMegabytes(megabytes: number): string {
  return megabytes === 0 ? 'n/a' : `${megabytes.toFixed(0)} MB`;
}

/** @throws Error where the memory of processes can't be read, before anything is measured in vain */
export async function assertMemoryIsReadable(proc = PROC): Promise<void> {
  if ((await residentMegabytes(process.pid, proc)) > 0) return;
  throw new Error(
    `The memory of processes is read from ${PROC}, which this system does not have: measure it on Linux.`,
  );
}

/** Resident memory of one process alone, in megabytes, as Linux counts it; 0 when it is gone, or can't be read. */
export async function ownMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}
