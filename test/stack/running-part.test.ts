import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEmbedded } from '../../stack/running-part.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

/** A server that finds its port taken at its first starts, and counts them in a file. */
const UNLUCKY = `
  const { appendFileSync, readFileSync } = require('node:fs');
  const [file, times, message] = process.argv.slice(1);
  appendFileSync(file, 'x');
  if (readFileSync(file, 'utf8').length <= Number(times)) { console.error(message); process.exit(1); }
  setInterval(() => {}, 1000);
`;

async function startUnlucky(
  times: number,
  message: string,
): Promise<{ starts: () => Promise<number>; failed: boolean }> {
  const dataDir = await createTemporaryFolder();
  const store = join(dataDir, 'starts');
  const starts = async (): Promise<number> => (await readFile(store, 'utf8')).length;
  try {
    const part = await startEmbedded({
      name: 'unlucky',
      how: 'a test',
      dataDir,
      store,
      ports: [{ label: 'its port', key: 'port', wanted: undefined }],
      command: () => ({ file: process.execPath, args: ['-e', UNLUCKY, store, String(times), message] }),
      graceMs: 1_000,
      waitUntilReady: async (_ports, _process, signal) => {
        while (!signal.aborted && (await starts().catch(() => 0)) <= times) await sleep(10);
      },
      describe: ({ port }) => ({ address: `127.0.0.1:${port}`, uiUrl: null }),
      log: pino({ level: 'silent' }),
    });
    onTestFinished(() => part.stop());
    return { starts, failed: false };
  } catch {
    return { starts, failed: true };
  }
}

describe('the start of an embedded server', () => {
  it('takes other ports when one was taken between its choice and its use', async () => {
    const { starts, failed } = await startUnlucky(1, 'listen tcp 127.0.0.1:1: bind: address already in use');
    expect(failed).toBe(false);
    expect(await starts()).toBe(2);
  });

  it('gives up after three', async () => {
    const { starts, failed } = await startUnlucky(9, 'Address already in use');
    expect(failed).toBe(true);
    expect(await starts()).toBe(3);
  });

  it('does not try again when something else is wrong', async () => {
    const { starts, failed } = await startUnlucky(9, 'no room on the disk');
    expect(failed).toBe(true);
    expect(await starts()).toBe(1);
  });
});
