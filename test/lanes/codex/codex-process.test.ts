import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile, readdir, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { appServerArguments, BARE_MODEL_SETTINGS } from '../../../lanes/codex/bare-model.ts';
import { assertPinned, findCodexBinary, PINNED_CODEX_VERSION } from '../../../lanes/codex/codex-binary.ts';
import { startCodexProcess, type CodexProcess } from '../../../lanes/codex/codex-process.ts';

const log = createLogger('silent', 'test');
let folder: string;
let started: CodexProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flatlane-process-'));
});
afterEach(async () => {
  await started?.stop();
  started = undefined;
  await rm(folder, { recursive: true, force: true });
});

async function start(settings: readonly string[] = BARE_MODEL_SETTINGS): Promise<CodexProcess> {
  started = await startCodexProcess({
    binary: await findCodexBinary(),
    homeDir: join(folder, 'home'),
    workDir: join(folder, 'empty'),
    settings,
    environment: { PATH: '/usr/bin:/bin' },
    log,
    onNotification: () => undefined,
  });
  return started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('startCodexProcess', () => {
  it('makes a private home, empties the working folder, and has nothing to warn about', async () => {
    await mkdir(join(folder, 'empty'));
    await writeFile(join(folder, 'empty', 'left-over.txt'), 'x');
    const running = await start();
    expect((await stat(join(folder, 'home'))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, 'empty'))).toEqual([]);
    expect(running.configWarnings()).toEqual([]);
  });

  it('leads a process group of its own, so that Ctrl-C in the terminal of its parent does not end it', async () => {
    const { pid } = await start();
    const group = execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' });
    expect(Number(group)).toBe(pid);
  });

  it('keeps the warning of a setting that the CLI does not know', async () => {
    const running = await start([...BARE_MODEL_SETTINGS, 'features.no_such_feature=true']);
    await running.rpc.call('model/list', {});
    expect(running.configWarnings()).toEqual([expect.stringContaining('no_such_feature')]);
  });

  it.each(['AGENTS.md', 'AGENTS.override.md', 'config.toml'])('does not start in a home with %s', async (name) => {
    await mkdir(join(folder, 'home'));
    await writeFile(join(folder, 'home', name), '');
    await expect(start()).rejects.toThrow(name);
  });

  it('ends its calls as lost when the process is killed', async () => {
    const running = await start();
    const exit = new Promise<void>((resolve) => running.onExit(resolve));
    process.kill(running.pid, 'SIGKILL');
    await exit;
    await expect(running.rpc.call('model/list', {})).rejects.toMatchObject({ kind: 'lost' });
    expect(isAlive(running.pid)).toBe(false);
  });

  it('is gone after a stop', async () => {
    const running = await start();
    await running.stop();
    expect(isAlive(running.pid)).toBe(false);
  });

  it('dies with a parent that is killed', async () => {
    const binary = await findCodexBinary();
    await mkdir(join(folder, 'home'));
    const script = `
      const child = require('node:child_process').spawn(${JSON.stringify(binary.path)}, ${JSON.stringify(appServerArguments(BARE_MODEL_SETTINGS))},
        { env: { HOME: process.argv[1], CODEX_HOME: process.argv[1] }, stdio: ['pipe', 'pipe', 'ignore'] });
      child.stdin.write(JSON.stringify({ id: 1, method: 'initialize', params: { clientInfo: { name: 'flatlane', title: 'x', version: '0' } } }) + '\\n');
      child.stdout.once('data', () => console.log(child.pid));`;
    const parent = spawn(process.execPath, ['-e', script, join(folder, 'home')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once('data', resolve)));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

describe('assertPinned', () => {
  it('takes the pinned version alone', () => {
    expect(() => assertPinned(PINNED_CODEX_VERSION)).not.toThrow();
    expect(() => assertPinned('0.170.0')).toThrow(`npm install @openai/codex@${PINNED_CODEX_VERSION}`);
  });
});
