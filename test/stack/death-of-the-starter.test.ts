import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { isProcessAlive } from '../../core/process-alive.ts';
import { ensureTools, startStack } from '../../stack/start-stack.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BUILD_LIMIT_MS = 20 * 60_000;

/** The servers' grace is 8 s and more; they take about one. */
const GONE_LIMIT_MS = 20_000;

interface Report {
  readonly temporal: number;
  readonly mongodb: number;
  readonly address: string;
}

let compiled: string;

beforeAll(async () => {
  await ensureTools((line) => process.stderr.write(`${line}\n`));
  compiled = await mkdtemp(join(ROOT, 'node_modules', '.starter-'));
  // Node runs no TypeScript by itself. What other files have to say is for the type check.
  const compiler = execFile(process.execPath, [
    join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'),
    '--project',
    ROOT,
    '--outDir',
    compiled,
  ]);
  await once(compiler, 'exit');
  expect(existsSync(join(compiled, 'test', 'stack', 'start-and-hang.js'))).toBe(true);
}, BUILD_LIMIT_MS);

afterAll(() => rm(compiled, { recursive: true, force: true }));

/** Starts the stack in a process of its own. */
async function startElsewhere(dataDir: string): Promise<{ pid: number; report: Report }> {
  const starter = spawn(process.execPath, [join(compiled, 'test', 'stack', 'start-and-hang.js'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void starter.kill('SIGKILL'));
  const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
  return { pid: starter.pid ?? 0, report: JSON.parse(line) as Report };
}

describe('when the process that started the stack is killed outright', () => {
  it('both servers end', async () => {
    const { pid, report } = await startElsewhere(await createTemporaryFolder());
    expect([report.temporal, report.mongodb].map(isProcessAlive)).toEqual([true, true]);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isProcessAlive(report.temporal), { timeout: GONE_LIMIT_MS }).toBe(false);
    await expect.poll(() => isProcessAlive(report.mongodb), { timeout: GONE_LIMIT_MS }).toBe(false);
  });

  it('the next start on the data folder takes over at once, on the same ports and with the data', async () => {
    const dataDir = await createTemporaryFolder();
    const { pid, report } = await startElsewhere(dataDir);
    const before = await MongoClient.connect(report.address);
    await before.db('test').collection<{ _id: string }>('rows').insertOne({ _id: 'kept' });
    await before.close();
    process.kill(pid, 'SIGKILL');

    const stack = await startStack({ dataDir, log: createLogger('silent', 'test'), onProgress: () => undefined });
    onTestFinished(() => stack.stop());
    expect(stack.mongodb.address).toBe(report.address);
    const after = await MongoClient.connect(stack.mongodb.address);
    onTestFinished(() => after.close());
    expect(await after.db('test').collection<{ _id: string }>('rows').countDocuments({ _id: 'kept' })).toBe(1);
  });

  it('a server whose watchdog was killed as well is ended by the next start', async () => {
    const dataDir = await createTemporaryFolder();
    const { pid, report } = await startElsewhere(dataDir);
    const watchdog = await parentOf(report.temporal);
    process.kill(watchdog, 'SIGSTOP');
    process.kill(pid, 'SIGKILL');
    process.kill(watchdog, 'SIGKILL');
    expect(isProcessAlive(report.temporal)).toBe(true);

    const stack = await startStack({ dataDir, log: createLogger('silent', 'test'), onProgress: () => undefined });
    onTestFinished(() => stack.stop());
    expect(isProcessAlive(report.temporal)).toBe(false);
  });
});

async function parentOf(pid: number): Promise<number> {
  const ps = execFile('ps', ['-o', 'ppid=', '-p', String(pid)]);
  let output = '';
  for await (const piece of ps.stdout ?? []) output += String(piece);
  return Number(output);
}
