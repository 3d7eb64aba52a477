import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDigests, fetchPinnedJars } from '../../../stack/mongodb/build-stand-in.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

const pin = (name: string, content: string): string =>
  `${createHash('sha256').update(content).digest('hex')}  ${name}\n`;

describe('the jars of the stand-in', () => {
  it.each([
    ['all pinned jars', 'whole', pin('a.jar', 'whole'), null],
    ['a jar with other content', 'changed', pin('a.jar', 'whole'), 'the jar a.jar is not the pinned one'],
    ['a jar that is not pinned', 'whole', '', 'the jar a.jar is not the pinned one'],
    ['a missing jar', 'whole', pin('a.jar', 'whole') + pin('b.jar', 'b'), 'the jar b.jar was not fetched'],
  ])('%s', async (_title, content, pins, problem) => {
    const folder = await createTemporaryFolder();
    await writeFile(join(folder, 'a.jar'), content);
    const check = checkDigests(folder, pins);
    if (problem === null) await expect(check).resolves.toBeUndefined();
    else await expect(check).rejects.toThrow(problem);
  });
});

/** Maven as far as the stand-in needs it: copies one jar, a damaged one from the local repository of the user. */
const MAVEN = `#!${process.execPath}
const { mkdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const args = process.argv.slice(2);
const valueOf = (name) => args.find((arg) => arg.startsWith(name))?.slice(name.length);
const jars = valueOf('-DoutputDirectory=');
mkdirSync(jars, { recursive: true });
const repository = valueOf('-Dmaven.repo.local=');
if (repository) mkdirSync(repository);
writeFileSync(join(dirname(jars), 'asked'), repository ?? '', { flag: 'a' });
writeFileSync(join(jars, 'a.jar'), repository ? 'whole' : 'damaged');
`;

describe('the jars in the local repository of Maven', () => {
  it('are fetched anew into another one when one of them is damaged', async () => {
    const tools = await createTemporaryFolder();
    const mvn = join(tools, 'mvn');
    await writeFile(mvn, MAVEN, { mode: 0o755 });
    const folder = await createTemporaryFolder();
    await fetchPinnedJars(mvn, folder, pin('a.jar', 'whole'));
    expect(await readFile(join(folder, 'jars', 'a.jar'), 'utf8')).toBe('whole');
    expect((await readdir(folder)).toSorted()).toEqual(['asked', 'jars']);
  });

  it('are not taken when the new ones are wrong as well', async () => {
    const tools = await createTemporaryFolder();
    const mvn = join(tools, 'mvn');
    await writeFile(mvn, MAVEN, { mode: 0o755 });
    const fetching = fetchPinnedJars(mvn, await createTemporaryFolder(), pin('a.jar', 'another'));
    await expect(fetching).rejects.toThrow('the jar a.jar is not the pinned one');
  });
});
