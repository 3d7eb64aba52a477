import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findDamage, writeManifest } from '../../stack/tool-manifest.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

it('holds when several starts write it at the same time', async () => {
  const folder = await createTemporaryFolder();
  await mkdir(join(folder, 'jars'));
  await writeFile(join(folder, 'jars', 'a.jar'), 'whole');
  await writeFile(join(folder, '.manifest.json.99999'), 'of a start that was killed');
  await Promise.all(Array.from({ length: 8 }, () => writeManifest(folder)));
  expect(await findDamage(folder, 'content')).toBeNull();
  expect(await readdir(folder)).toContain('manifest.json');
  await writeFile(join(folder, 'jars', 'a.jar'), 'other');
  expect(await findDamage(folder, 'sizes')).toBeNull();
  expect(await findDamage(folder, 'content')).toBe('jars/a.jar has changed');
});
