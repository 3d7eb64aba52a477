import { access, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createToolCache, type CachedTool } from '../../stack/tool-cache.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

function createTool(build: (folder: string) => Promise<void>): CachedTool {
  return { key: 'tool-1.0', title: 'Building the tool', hint: 'a moment', build };
}

describe('the cache of tools', () => {
  it('builds once when two starts ask at the same time', async () => {
    const root = await createTemporaryFolder();
    let builds = 0;
    const tool = createTool(async (folder) => {
      builds += 1;
      await sleep(300);
      await writeFile(join(folder, 'program'), 'whole');
    });
    const caches = [createToolCache(root, () => undefined), createToolCache(root, () => undefined)];
    const folders = await Promise.all(caches.map((cache) => cache.ensure(tool)));
    expect(builds).toBe(1);
    expect(folders).toEqual([join(root, 'tool-1.0'), join(root, 'tool-1.0')]);
    expect(await readFile(join(root, 'tool-1.0', 'program'), 'utf8')).toBe('whole');
  });

  it('shows a tool only when it is whole', async () => {
    const root = await createTemporaryFolder();
    const cache = createToolCache(root, () => undefined);
    const seen: (string | null)[] = [];
    await cache.ensure(
      createTool(async (folder) => {
        await writeFile(join(folder, 'program'), 'half');
        seen.push(await cache.find('tool-1.0'));
      }),
    );
    expect(seen).toEqual([null]);
    expect(await cache.find('tool-1.0')).toBe(join(root, 'tool-1.0'));
  });

  it('leaves nothing of a build that fails, and builds again the next time', async () => {
    const root = await createTemporaryFolder();
    const lines: string[] = [];
    const cache = createToolCache(root, (line) => lines.push(line));
    await expect(cache.ensure(createTool(() => Promise.reject(new Error('no compiler'))))).rejects.toThrow(
      'no compiler',
    );
    expect(await readdir(root)).toEqual([]);
    await cache.ensure(createTool((folder) => writeFile(join(folder, 'program'), 'whole')));
    expect(await readdir(root)).toEqual(['tool-1.0']);
    expect(lines).toEqual([
      'Building the tool (a moment) …',
      'Building the tool: failed after 0 s',
      'Building the tool (a moment) …',
      'Building the tool: done in 0 s',
    ]);
  });

  it('takes over from a builder that was killed, and clears what it left', async () => {
    const root = await createTemporaryFolder();
    const longAgo = new Date(Date.now() - 60_000);
    await mkdir(join(root, 'tool-1.0.lock'));
    await utimes(join(root, 'tool-1.0.lock'), longAgo, longAgo);
    await mkdir(join(root, '.building-tool-1.0-99999'));
    await createToolCache(root, () => undefined).ensure(
      createTool((folder) => writeFile(join(folder, 'program'), 'whole')),
    );
    await expect(access(join(root, 'tool-1.0', 'program'))).resolves.toBeUndefined();
    expect(await readdir(root)).toEqual(['tool-1.0']);
  });
});
