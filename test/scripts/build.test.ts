import { execFile } from 'node:child_process';
import { access, copyFile, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../support/spawned-node.ts';

/** A small tree of its own: the build of all takes 15 s of a processor. */
let root: string;

const SETTINGS = {
  // Without Node's types, which take longer to read than all the rest.
  compilerOptions: { rootDir: '.', outDir: 'dist', module: 'nodenext', types: [], lib: ['es2023'], skipLibCheck: true },
  include: ['core', 'scripts'],
};
const BUNDLER =
  "// @ts-nocheck\nimport { writeFileSync } from 'node:fs';\nwriteFileSync('dist/workflow-bundle.js', '');\n";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flatlane-build-'));
  for (const folder of ['core', 'scripts']) await mkdir(join(root, folder));
  await copyFile(join(ROOT, 'scripts', 'build.mjs'), join(root, 'scripts', 'build.mjs'));
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'), 'dir');
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  await writeFile(join(root, 'tsconfig.json'), JSON.stringify(SETTINGS));
  await writeFile(join(root, 'core', 'one.ts'), 'export const one = 1;\n');
  await writeFile(join(root, 'scripts', 'build-workflows.ts'), BUNDLER);
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Builds, and says whether there was anything to do. */
async function build(): Promise<boolean> {
  const writtenAt = () => stat(join(root, 'dist', '.build-stamp')).then(({ mtimeMs }) => mtimeMs);
  const before = await writtenAt().catch(() => 0);
  await promisify(execFile)(process.execPath, [join(root, 'scripts', 'build.mjs')]);
  return (await writtenAt()) !== before;
}

const isThere = (...path: string[]): Promise<boolean> =>
  access(join(root, ...path)).then(
    () => true,
    () => false,
  );

describe('the build', () => {
  it('is done once for the same sources', async () => {
    expect(await build()).toBe(true);
    expect(await isThere('dist', 'core', 'one.js')).toBe(true);
    expect(await build()).toBe(false);
  });

  it.each([
    ['a source changes', () => writeFile(join(root, 'core', 'one.ts'), 'export const one = 2;\n')],
    ['a source is added', () => writeFile(join(root, 'core', 'two.ts'), 'export const two = 2;\n')],
    ['a setting changes', () => writeFile(join(root, 'package.json'), '{"type":"module","name":"other"}')],
    ['a compiled file is missing', () => rm(join(root, 'dist', 'core', 'one.js'))],
    ['the bundle of workflows is cut short', () => writeFile(join(root, 'dist', 'workflow-bundle.js'), 'x')],
    ['all of it is gone', () => rm(join(root, 'dist'), { recursive: true })],
  ])('is done again when %s', async (_title, change) => {
    await build();
    await change();
    expect(await build()).toBe(true);
    expect(await isThere('dist', 'core', 'one.js')).toBe(true);
    expect(await build()).toBe(false);
  });

  it('leaves nothing of a source that is gone', async () => {
    await writeFile(join(root, 'core', 'two.ts'), 'export const two = 2;\n');
    await build();
    await rm(join(root, 'core', 'two.ts'));
    expect(await build()).toBe(true);
    expect(await isThere('dist', 'core', 'two.js')).toBe(false);
    expect(await isThere('dist', 'core', 'one.js')).toBe(true);
  });

  it('that fails is done again', async () => {
    await build();
    await writeFile(join(root, 'core', 'one.ts'), 'export const one: string = 1;\n');
    await expect(build()).rejects.toThrow();
    await expect(build()).rejects.toThrow();
    await writeFile(join(root, 'core', 'one.ts'), 'export const one = 1;\n');
    expect(await build()).toBe(true);
  });
});
