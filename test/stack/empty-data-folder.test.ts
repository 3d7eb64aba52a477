import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLogger } from '../../core/log.ts';
import { emptyDataFolder } from '../../stack/empty-data-folder.ts';
import { lockFolder, stateFolder } from '../../stack/folder-lock.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

const log = createLogger('silent', 'test');

async function createDataFolder(): Promise<string> {
  const folder = await createTemporaryFolder();
  await mkdir(join(folder, 'accounts', 'lane_1'), { recursive: true });
  await writeFile(join(folder, 'accounts', 'lane_1', 'auth.json'), '{}');
  await writeFile(join(folder, 'master.key'), 'secret');
  await mkdir(stateFolder(folder), { recursive: true });
  await writeFile(join(stateFolder(folder), 'temporal.pid'), '1');
  return folder;
}

it('leaves nothing of an earlier start but what its servers are known by', async () => {
  const folder = await createDataFolder();
  await emptyDataFolder(folder, log);
  expect(await readdir(folder)).toEqual(['stack']);
  expect(await readdir(stateFolder(folder))).toContain('temporal.pid');
  // Free again for the start that follows.
  await (
    await lockFolder(folder, 'stack', log)
  )();
});

it('makes a folder that is not there', async () => {
  const folder = join(await createTemporaryFolder(), 'new');
  await emptyDataFolder(folder, log);
  expect(await readdir(folder)).toEqual(['stack']);
});

it('touches nothing of a folder that somebody uses', async () => {
  const folder = await createDataFolder();
  const release = await lockFolder(folder, 'stack', log);
  await expect(emptyDataFolder(folder, log)).rejects.toThrow(
    `${folder} is in use by process ${process.pid} on ${hostname()}. Stop that one first.`,
  );
  expect(await readdir(folder)).toEqual(expect.arrayContaining(['accounts', 'master.key']));
  await release();
});
