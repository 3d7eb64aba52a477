import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { baseChildEnvironment } from '../core/config.ts';
import { withProgress, type OnProgress } from './progress.ts';

/** A builder that was killed has let go of its lock after this time. */
const STALE_MS = 10_000;

/** How often a start that waits for another's build looks again; a build takes minutes. */
const WAIT_STEP_MS = 500;
/** Waiting ends after this many steps, 30 minutes: no build takes so long, so something hangs. */
const WAIT_STEPS = 3_600;

export interface CachedTool {
  /** Name, version and platform: the folder's name in the cache. A folder that is there is whole. */
  readonly key: string;
  /** What is made, for the progress, as in "Building the Temporal CLI with Go". */
  readonly title: string;
  /** How long it takes, and what to do to skip it. */
  readonly hint: string;
  /** Makes the tool in an empty folder. Its own time limits hold. */
  readonly build: (folder: string) => Promise<void>;
}

export interface ToolCache {
  /** The folder of a tool that is there, else null. */
  find(key: string): Promise<string | null>;
  /** The folder of the tool, which is made if need be: once, however many ask for it at the same time. */
  ensure(tool: CachedTool): Promise<string>;
}

/** The user's cache folder for tools that were fetched or built: `$XDG_CACHE_HOME/flatlane`, else `~/.cache/flatlane`. */
export function toolCacheFolder(): string {
  const cacheHome = baseChildEnvironment()['XDG_CACHE_HOME'];
  return join(cacheHome === undefined || cacheHome === '' ? join(homedir(), '.cache') : cacheHome, 'flatlane');
}

export function createToolCache(root: string, onProgress: OnProgress): ToolCache {
  const find = async (key: string): Promise<string | null> => {
    const folder = join(root, key);
    return access(folder).then(
      () => folder,
      () => null,
    );
  };

  const buildLocked = async ({ key, title, hint, build }: CachedTool): Promise<string> => {
    const building = `.building-${key}-`;
    // Under the lock nobody else builds it, so these are of builders that were killed.
    for (const name of await readdir(root)) {
      if (name.startsWith(building)) await rm(join(root, name), { recursive: true, force: true });
    }
    const temporary = join(root, `${building}${process.pid}`);
    await mkdir(temporary);
    try {
      await withProgress(onProgress, { title, hint }, () => build(temporary));
      await rename(temporary, join(root, key)).catch(async (cause: unknown) => {
        // Whoever was faster made the same; this happens only when the lock was lost.
        if ((await find(key)) === null) throw cause;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return join(root, key);
  };

  const ensure = async (tool: CachedTool): Promise<string> => {
    await mkdir(root, { recursive: true });
    const present = await find(tool.key);
    if (present !== null) return present;
    const release = await lock(join(root, tool.key), {
      realpath: false,
      stale: STALE_MS,
      // A lost lock costs a second build at the most: the first to finish wins.
      onCompromised: () => undefined,
      retries: { retries: WAIT_STEPS, factor: 1, minTimeout: WAIT_STEP_MS, maxTimeout: WAIT_STEP_MS },
    });
    try {
      return (await find(tool.key)) ?? (await buildLocked(tool));
    } finally {
      await release().catch(() => undefined);
    }
  };

  return { find, ensure };
}
