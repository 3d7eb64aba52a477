import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isProcessAlive } from '../../core/process-alive.ts';
import { newDataDir, readAddresses, spawnStart } from '../support/gateway.ts';
import { ROOT, spawnNode } from '../support/spawned-node.ts';

async function emptyDataDir(): Promise<string> {
  const dataDir = await newDataDir();
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

describe('the start', () => {
  it.each([
    ['--temporal-port', 'abc'],
    ['--temporal-ui-port', '70000'],
    ['--mongodb-port', '1.5'],
  ])('refuses %s %s by the name of the option', async (option, port) => {
    const start = spawnNode('scripts/start.js', [option, port], {});
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain(`'${option} <number>' argument '${port}' is invalid`);
  });

  it('says that it is not ready before it takes no more connections', async () => {
    const start = spawnStart(await emptyDataDir(), {});
    onTestFinished(() => start.kill());
    const { url } = await readAddresses(start);
    const status = () => fetch(`${url}/readyz`).then((answer) => answer.status);
    expect(await status()).toBe(200);
    const ended = start.stop();
    await expect.poll(status, { interval: 10 }).toBe(503);
    expect(await ended).toBe(0);
  });

  it('ends with `npm start`, which it is started by', async () => {
    const args = ['start', '--', '--data', await emptyDataDir(), '--port', '0', '--admin-port', '0'];
    const npm = execFile('npm', args, { cwd: ROOT });
    onTestFinished(() => void npm.kill('SIGKILL'));
    for await (const line of createInterface({ input: npm.stdout ?? process.stdin })) {
      if (line.includes('Ctrl-C stops everything')) break;
    }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', String(npm.pid)]);
    const node = Number(stdout);
    expect(isProcessAlive(node)).toBe(true);
    npm.kill('SIGTERM');
    await expect.poll(() => isProcessAlive(node)).toBe(false);
  });
});
