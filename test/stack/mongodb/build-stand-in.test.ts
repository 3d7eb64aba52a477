import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDigests } from '../../../stack/mongodb/build-stand-in.ts';
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
