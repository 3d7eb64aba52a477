import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const SUMMARY = join(import.meta.dirname, '..', '.ci', 'summary.mjs');

type Status = 'passed' | 'failed' | 'skipped' | 'pending' | 'todo';

const file = (status: 'passed' | 'failed', ...results: Status[]): unknown => ({
  name: 'test/x.test.ts',
  status,
  assertionResults: results.map((result) => ({ status: result, fullName: 'does x' })),
});

describe('the summary of .ci/run', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatlane-summary-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    {
      title: 'passes when every test has passed',
      files: [file('passed', 'passed', 'passed')],
      last: '2 passed, 0 failed',
      exit: 0,
    },
    {
      title: 'fails with a failed test',
      files: [file('failed', 'passed', 'failed')],
      last: '1 passed, 1 failed',
      exit: 1,
    },
    {
      title: 'fails with a skipped test',
      files: [file('passed', 'passed', 'skipped')],
      last: '1 passed, 1 failed',
      exit: 1,
    },
    {
      title: 'fails with a test that is only planned',
      files: [file('passed', 'passed', 'todo')],
      last: '1 passed, 1 failed',
      exit: 1,
    },
    {
      title: 'fails with a file that could not be loaded',
      files: [file('passed', 'passed'), file('failed')],
      last: '1 passed, 1 failed',
      exit: 1,
    },
    { title: 'fails when no test was run', files: [], last: '0 passed, 0 failed', exit: 1 },
    { title: 'fails without a report', files: null, tests: 1, last: '0 passed, 1 failed', exit: 1 },
    {
      title: 'fails when the check has failed',
      files: [file('passed', 'passed')],
      check: 2,
      last: '1 passed, 1 failed',
      exit: 1,
    },
    {
      title: 'fails when the run of the tests has failed outside a test',
      files: [file('passed', 'passed')],
      tests: 1,
      last: '1 passed, 1 failed',
      exit: 1,
    },
  ])('$title', async ({ title, files, check = 0, tests = 0, last, exit }) => {
    const report = join(folder, `${title.replaceAll(' ', '-')}.json`);
    if (files !== null) await writeFile(report, JSON.stringify({ testResults: files }));
    const outcome = await new Promise<{ lines: string[]; exit: unknown }>((resolve) => {
      execFile(process.execPath, [SUMMARY, report, String(check), String(tests)], (error, stdout) =>
        resolve({ lines: stdout.trimEnd().split('\n'), exit: error?.code ?? 0 }),
      );
    });
    expect({ last: outcome.lines.at(-1), exit: outcome.exit }).toEqual({ last, exit });
  });
});
