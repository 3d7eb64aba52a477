import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOrMakeFile } from '../../core/first-start-file.ts';
import { loadMasterKey } from '../../core/master-key.ts';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flatlane-first-start-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe('a file of the first start', () => {
  it('is made once, for its owner alone, in a folder for its owner alone', async () => {
    const path = join(folder, 'data', 'word');
    expect(await readOrMakeFile(path, () => 'first')).toBe('first');
    expect(await readOrMakeFile(path, () => 'second')).toBe('first');
    expect(await readFile(path, 'utf8')).toBe('first\n');
    expect(await modeOf(path)).toBe('600');
    expect(await modeOf(join(folder, 'data'))).toBe('700');
    expect(await readdir(join(folder, 'data'))).toEqual(['word']);
  });

  it('is the same for all that start at once, and whole for each', async () => {
    const path = join(folder, 'word');
    const texts = await Promise.all(
      Array.from({ length: 40 }, (_, index) => readOrMakeFile(path, () => `word ${index} ${'x'.repeat(10_000)}`)),
    );
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).toHaveLength((await readFile(path, 'utf8')).length - 1);
    expect(await readdir(folder)).toEqual(['word']);
  });

  it('leaves nothing behind when its text can’t be made', async () => {
    const failing = (): string => {
      throw new Error('no word');
    };
    await expect(readOrMakeFile(join(folder, 'word'), failing)).rejects.toThrow('no word');
    expect(await readdir(folder)).toEqual([]);
  });

  it('reports a file that can’t be read instead of making another', async () => {
    const path = join(folder, 'word', 'below');
    await writeFile(join(folder, 'word'), 'a file where a folder should be');
    await chmod(join(folder, 'word'), 0o600);
    await expect(readOrMakeFile(path, () => 'other')).rejects.toThrow('ENOTDIR');
  });
});

describe('the master key', () => {
  it('is the configured one where there is one, and then no file is made', async () => {
    const configured = newMasterKey();
    expect(await loadMasterKey(configured, folder)).toBe(configured);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is made at the first start, read back at the next, and opens what it sealed', async () => {
    const first = await loadMasterKey(undefined, folder);
    const second = await loadMasterKey(undefined, folder);
    expect(second).toBe(first);
    expect(await modeOf(join(folder, 'master-key'))).toBe('600');
    const sealed = createSecretBox(first).seal('secret', 'place');
    expect(createSecretBox(second).open(sealed, 'place')).toBe('secret');
  });

  it('is one and the same for processes that start together', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadMasterKey(undefined, folder)));
    expect(new Set(keys).size).toBe(1);
    expect(() => createSecretBox(keys[0] ?? '')).not.toThrow();
  });
});
