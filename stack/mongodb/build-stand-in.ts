import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { stackFile } from '../package-files.ts';
import { runCommand } from '../run-command.ts';

/** Six megabytes of jars, and Maven's own plugins where it has none yet. */
const FETCH_LIMIT_MS = 10 * 60_000;
const COMPILE_LIMIT_MS = 2 * 60_000;

const JARS = 'jars';
const CLASSES = 'classes';
export const STAND_IN_MAIN = 'EmbeddedMongo';

/** The exit code by which the stand-in says that it found no room for a write. */
export const STAND_IN_DISK_FULL = 5;

/** The class path of a stand-in that was built into a folder. */
export function standInClassPath(folder: string): string {
  return [join(folder, CLASSES), join(folder, JARS, '*')].join(delimiter);
}

/** A short digest of all that goes into it, so that a change is a new entry of the cache. */
export function standInHash(): string {
  const digest = createHash('sha256');
  for (const file of ['pom.xml', 'jars.sha256', `${STAND_IN_MAIN}.java`])
    digest.update(readFileSync(stackFile('mongodb', file)));
  return digest.digest('hex').slice(0, 8);
}

/**
 * Fetches the jars with Maven, checks them against the pinned digests, and compiles the server.
 * @throws Error with the end of the output of the step that failed, or the name of a jar that is not the pinned one.
 */
export async function buildStandIn(
  folder: string,
  tools: { readonly mvn: string; readonly javac: string },
): Promise<void> {
  const jars = join(folder, JARS);
  await fetchPinnedJars(tools.mvn, folder, await readFile(stackFile('mongodb', 'jars.sha256'), 'utf8'));
  await mkdir(join(folder, CLASSES));
  await runCommand({
    file: tools.javac,
    args: [
      '--release',
      '17',
      '-cp',
      join(jars, '*'),
      '-d',
      join(folder, CLASSES),
      stackFile('mongodb', `${STAND_IN_MAIN}.java`),
    ],
    limitMs: COMPILE_LIMIT_MS,
  });
}

/**
 * Fetches the jars into a folder. Maven takes what its local repository has, a damaged jar too, and never looks again: when one is not
 * the pinned one, all are fetched anew into a repository that is gone afterwards.
 * @throws Error that names a jar that is not the pinned one then either
 */
export async function fetchPinnedJars(mvn: string, folder: string, pins: string): Promise<void> {
  await fetchJars(mvn, folder, []);
  await checkDigests(join(folder, JARS), pins).catch(async () => {
    const repository = join(folder, 'repository');
    await fetchJars(mvn, folder, [`-Dmaven.repo.local=${repository}`]);
    await rm(repository, { recursive: true, force: true });
    await checkDigests(join(folder, JARS), pins);
  });
}

async function fetchJars(mvn: string, folder: string, more: readonly string[]): Promise<void> {
  await runCommand({
    file: mvn,
    args: [
      '--batch-mode',
      '--quiet',
      '--no-transfer-progress',
      '--file',
      stackFile('mongodb', 'pom.xml'),
      'dependency:copy-dependencies',
      `-DoutputDirectory=${join(folder, JARS)}`,
      '-DincludeScope=runtime',
      ...more,
    ],
    cwd: folder,
    limitMs: FETCH_LIMIT_MS,
  });
}

/** Every jar is pinned and every pin is there. @throws Error that names the first that is not. */
export async function checkDigests(folder: string, pins: string): Promise<void> {
  const wanted = new Map<string, string>();
  for (const line of pins.split('\n').filter((text) => text !== '')) {
    const [digest = '', name = ''] = line.split(/\s+/);
    wanted.set(name, digest);
  }
  for (const name of await readdir(folder)) {
    const digest = createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex');
    if (wanted.get(name) !== digest) {
      await rm(folder, { recursive: true });
      throw new Error(`the jar ${name} is not the pinned one`);
    }
    wanted.delete(name);
  }
  const [missing] = wanted.keys();
  if (missing !== undefined) throw new Error(`the jar ${missing} was not fetched`);
}
