import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockHome } from '../../workers/home-lock.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'flatlane-locks-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

it('gives the home of an account to one process, and says which', async () => {
  const release = await lockHome(dataDir, 'lane_a', () => undefined);
  await expect(lockHome(dataDir, 'lane_a', () => undefined)).rejects.toThrow(`in use by process ${process.pid} on`);
  const other = await lockHome(dataDir, 'lane_b', () => undefined);
  await release();
  await (
    await lockHome(dataDir, 'lane_a', () => undefined)
  )();
  await other();
});
