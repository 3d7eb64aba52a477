import { access, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { baseChildEnvironment } from '../core/config.ts';
import { withProgress, type OnProgress } from './progress.ts';
import { findDamage, hasManifest, syncFile, writeManifest } from './tool-manifest.ts';

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
  /** Makes the tool in an empty folder, and reports how far it is, as in "640 packages". Its own time limits hold. */
  readonly build: (folder: string, report: (detail: string) => void) => Promise<void>;
}

export interface ToolCache {
  /** The folder of a tool that is there with all its files in their sizes, else null. */
  find(key: string): Promise<string | null>;
  /** The folder of the tool, which is made if need be: once, however many ask for it at the same time. */
  ensure(tool: CachedTool): Promise<string>;
}

export interface CheckedToolCache extends ToolCache {
  /**
   * Reads all that was taken from the cache, and removes what is not what it was. Returns whether there was any.
   */
  removeDamaged(): Promise<boolean>;
  /** Writes down what tools hold that were made before that was done, and have just shown that they work. Never throws. */
  describeTaken(): Promise<void>;
}

/** The user's cache folder for tools that were fetched or built: `$XDG_CACHE_HOME/flatlane`, else `~/.cache/flatlane`. */
export function toolCacheFolder(): string {
  return join(baseChildEnvironment()['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'flatlane');
}

export function createToolCache(root: string, onProgress: OnProgress): CheckedToolCache {
  const taken = new Set<string>();
  const damageOf = (key: string, depth: 'sizes' | 'content'): Promise<string | null> =>
    findDamage(join(root, key), depth);

  const find = async (key: string): Promise<string | null> => {
    const folder = join(root, key);
    const isThere = await access(folder).then(
      () => true,
      () => false,
    );
    if (!isThere || (await damageOf(key, 'sizes')) !== null) return null;
    taken.add(key);
    return folder;
  };

  const removeIfDamaged = async (key: string, depth: 'sizes' | 'content'): Promise<boolean> => {
    const damage = await damageOf(key, depth);
    if (damage === null) return false;
    onProgress(`${join(root, key)} is damaged (${damage}); it is removed, and made again.`);
    await rm(join(root, key), { recursive: true, force: true });
    return true;
  };

  const buildLocked = async ({ key, title, hint, build }: CachedTool): Promise<string> => {
    const building = `.building-${key}-`;
    // Under the lock nobody else builds it, so these are of builders that were killed.
    for (const name of await readdir(root)) {
      if (name.startsWith(building)) await rm(join(root, name), { recursive: true, force: true });
    }
    await removeIfDamaged(key, 'sizes');
    const temporary = join(root, `${building}${process.pid}`);
    await mkdir(temporary);
    try {
      await withProgress(onProgress, { title, hint }, (report) => build(temporary, report));
      await writeManifest(temporary);
      await rename(temporary, join(root, key)).catch(async (cause: unknown) => {
        // Whoever was faster made the same; this happens only when the lock was lost.
        if ((await find(key)) === null) throw cause;
      });
      await syncFile(root);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    taken.add(key);
    return join(root, key);
  };

  const ensure = async (tool: CachedTool): Promise<string> => {
    await mkdir(root, { recursive: true });
    const present = await find(tool.key);
    if (present !== null) return present;
    const lockTool = (retries: number): Promise<() => Promise<void>> =>
      lock(join(root, tool.key), {
        realpath: false,
        stale: STALE_MS,
        // A lost lock costs a second build at the most: the first to finish wins.
        onCompromised: () => undefined,
        retries: { retries, factor: 1, minTimeout: WAIT_STEP_MS, maxTimeout: WAIT_STEP_MS },
      });
    const release = await lockTool(0).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ELOCKED') throw cause;
      const title = `Waiting for another start that is at it: ${tool.title}`;
      return withProgress(onProgress, { title, hint: tool.hint }, () => lockTool(WAIT_STEPS));
    });
    try {
      return (await find(tool.key)) ?? (await buildLocked(tool));
    } finally {
      await release().catch(() => undefined);
    }
  };

  return {
    find,
    ensure,
    async removeDamaged() {
      let any = false;
      for (const key of taken) any = (await removeIfDamaged(key, 'content')) || any;
      return any;
    },
    async describeTaken() {
      for (const key of taken) {
        // A cache that this user may only read stays as it is.
        if (!(await hasManifest(join(root, key)))) await writeManifest(join(root, key)).catch(() => undefined);
      }
    },
  };
}

/** Starts something by tools of the cache. When that fails, tools that are damaged are removed, and it is tried once more. */
export async function startWithTools<T>(cache: CheckedToolCache, start: () => Promise<T>): Promise<T> {
  try {
    const started = await start();
    await cache.describeTaken();
    return started;
  } catch (cause) {
    if (!(await cache.removeDamaged())) throw cause;
    return start();
  }
}
