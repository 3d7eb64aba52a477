import { access, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createToolCache, startWithTools, toolCacheFolder, type CachedTool } from '../../stack/tool-cache.ts';
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
      'Building the tool: failed after 0 s: no compiler',
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

  it.each([
    ['is cut short', (path: string) => writeFile(path, 'wh'), 'program has 2 bytes instead of 5'],
    ['is gone', (path: string) => rm(path), 'program is missing'],
  ])('makes a tool anew when a file of it %s, and says so', async (_title, damage, what) => {
    const root = await createTemporaryFolder();
    const lines: string[] = [];
    const cache = createToolCache(root, (line) => lines.push(line));
    const tool = createTool((folder) => writeFile(join(folder, 'program'), 'whole'));
    const program = join(await cache.ensure(tool), 'program');
    await damage(program);
    expect(await cache.find('tool-1.0')).toBeNull();
    await cache.ensure(tool);
    expect(await readFile(program, 'utf8')).toBe('whole');
    expect(lines).toContain(`${join(root, 'tool-1.0')} is damaged (${what}); it is removed, and made again.`);
  });

  it('reads a tool whose start failed, and tries once more when it has changed', async () => {
    const root = await createTemporaryFolder();
    const cache = createToolCache(root, () => undefined);
    const tool = createTool((folder) => writeFile(join(folder, 'program'), 'whole'));
    await writeFile(join(await cache.ensure(tool), 'program'), 'wrong');
    let starts = 0;
    const start = async (): Promise<string> => {
      starts += 1;
      const content = await readFile(join(await cache.ensure(tool), 'program'), 'utf8');
      if (content !== 'whole') throw new Error('it crashed');
      return content;
    };
    expect(await startWithTools(cache, start)).toBe('whole');
    expect(starts).toBe(2);
    const failing = startWithTools(cache, () => Promise.reject(new Error('the port is taken')));
    await expect(failing).rejects.toThrow('the port is taken');
  });

  it('takes a tool from before there were manifests as it is', async () => {
    const root = await createTemporaryFolder();
    await mkdir(join(root, 'tool-1.0'));
    expect(await createToolCache(root, () => undefined).find('tool-1.0')).toBe(join(root, 'tool-1.0'));
  });

  it('writes down what such a tool holds once it has served', async () => {
    const root = await createTemporaryFolder();
    await mkdir(join(root, 'tool-1.0'));
    await writeFile(join(root, 'tool-1.0', 'program'), 'whole');
    const cache = createToolCache(root, () => undefined);
    await startWithTools(cache, () => cache.find('tool-1.0'));
    await writeFile(join(root, 'tool-1.0', 'program'), 'wh');
    expect(await cache.find('tool-1.0')).toBeNull();
  });

  it('tells the one who waits that another start is at it', async () => {
    const root = await createTemporaryFolder();
    const tool = createTool(async (folder) => {
      await sleep(300);
      await writeFile(join(folder, 'program'), 'whole');
    });
    const building = createToolCache(root, () => undefined).ensure(tool);
    await sleep(100);
    const lines: string[] = [];
    await createToolCache(root, (line) => lines.push(line)).ensure(tool);
    await building;
    expect(lines[0]).toBe('Waiting for another start that is at it: Building the tool (a moment) …');
  });
});

describe('the folder of the cache', () => {
  it.each([
    ['/caches', '/caches/flatlane'],
    ['relative', '/home/somebody/.cache/flatlane'],
    ['', '/home/somebody/.cache/flatlane'],
  ])('for XDG_CACHE_HOME=%s is %s', (given, folder) => {
    vi.stubEnv('HOME', '/home/somebody');
    vi.stubEnv('XDG_CACHE_HOME', given);
    expect(toolCacheFolder()).toBe(folder);
  });
});
