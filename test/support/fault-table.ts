import { appendFile, readFile } from 'node:fs/promises';
import { inject } from 'vitest';
import { formatTable } from '../../scripts/table.ts';

/** What a fault did to a batch. */
export interface FaultRow {
  readonly fault: string;
  readonly lines: number;
  /** Seconds from the fault to the next line that came through with everything running again; the longest, where there were several. */
  readonly recoverySeconds: number;
  readonly lost: number;
  readonly twice: number;
  /** Calls that an upstream saw beyond one a line. */
  readonly wasted: number;
}

/** Notes a row of the table that is printed at the end of the run, over all test files. */
export async function recordFault(row: FaultRow): Promise<void> {
  await appendFile(inject('faultTable'), `${JSON.stringify(row)}\n`);
}

/** The table of what was noted in a file; undefined when nothing was. */
export async function formatFaults(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const rows = text.split('\n').filter((line) => line !== '');
  if (rows.length === 0) return undefined;
  return formatTable(
    ['fault', 'lines', 'recovery s', 'lost', 'twice', 'wasted'],
    rows.map((line) => {
      const { fault, lines, recoverySeconds, lost, twice, wasted } = JSON.parse(line) as FaultRow;
      return [fault, lines, recoverySeconds.toFixed(1), lost, twice, wasted];
    }),
  );
}
