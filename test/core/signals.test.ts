import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ROOT } from '../support/spawned-node.ts';

/** A process of ours in small: it logs, and its shutdown takes as long as it is told. */
const SCRIPT = `
import { createLogger } from '${ROOT}/dist/core/log.js';
import { createShutdown } from '${ROOT}/dist/core/shutdown.js';
import { stopOnSignals } from '${ROOT}/dist/core/signals.js';
import { writeFileSync } from 'node:fs';
const log = createLogger('info', 'test');
const shutdown = createShutdown(log);
stopOnSignals(shutdown);
shutdown.add('part', 60_000, async () => {
  log.info('stopping');
  await new Promise((resolve) => setTimeout(resolve, Number(process.argv[2])));
  writeFileSync(process.argv[3], 'in order');
});
setInterval(() => log.info('alive'), 20);
console.log(process.pid);
`;

let folder: string;
let script: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flatlane-signals-'));
  script = join(folder, 'process.mjs');
  await writeFile(script, SCRIPT);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function startProcess(stopMs: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [script, String(stopMs), join(folder, 'note')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(createInterface({ input: child.stdout }), 'line');
  return child;
}

describe('a signal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends the process in order', async (signal) => {
    const child = await startProcess(10);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('that arrives twice, as under npm, is one', async () => {
    const child = await startProcess(1_500);
    child.kill('SIGINT');
    await sleep(50);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('ends the process at once when it comes again a second later', async () => {
    const child = await startProcess(60_000);
    child.kill('SIGINT');
    await sleep(1_200);
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([1, null]);
  });
});

/** Runs a program on a terminal of its own, closes that when it has said its first line, and tells how the program ended. */
const CLOSE_TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while b'\\n' not in said:
    said += os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

describe('a terminal that is closed', () => {
  it('ends the process in order, though nothing can be logged any more', async () => {
    const note = join(folder, 'note-of-the-closed');
    const args = ['-c', CLOSE_TERMINAL, process.execPath, script, '300', note];
    const { stdout } = await promisify(execFile)('python3', args, { timeout: 20_000 });
    // By its own hand: Node's exit would crash without its terminal.
    expect(stdout).toBe('-9\n');
    expect(await readFile(note, 'utf8')).toBe('in order');
  });
});
