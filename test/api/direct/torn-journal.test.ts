import type * as Fs from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import type { DirectEntry } from '../../../api/direct/direct-entry.ts';
import { openJournal } from '../../../api/direct/journal.ts';
import { createTemporaryFolder } from '../../stack/temporary-folder.ts';

/** A disk that takes ten bytes of a line, and that can't take them back. */
const disk = vi.hoisted(() => ({ isFull: false, isStuck: false }));
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof Fs>();
  return {
    ...fs,
    writeSync: (fd: number, line: Buffer) => fs.writeSync(fd, disk.isFull ? line.subarray(0, 10) : line),
    ftruncateSync: (fd: number, bytes: number) => {
      if (disk.isStuck) throw new Error('EIO');
      fs.ftruncateSync(fd, bytes);
    },
  };
});

const entry = (id: string): DirectEntry => ({ log: { _id: id } as never });

it('an entry of which the disk takes a part only is taken back, and the next one is whole', async () => {
  const folder = join(await createTemporaryFolder(), 'mine');
  const journal = openJournal(folder);
  journal.append(entry('a'));
  disk.isFull = true;
  expect(() => journal.append(entry('b'))).toThrow('a part of an entry');
  disk.isFull = false;
  journal.append(entry('c'));
  const text = await readFile(join(folder, '00000000.jsonl'), 'utf8');
  expect(text).toBe(`${JSON.stringify(entry('a'))}\n${JSON.stringify(entry('c'))}\n`);
});

it('an entry of which a part can’t be taken back is in nobody’s way: the next one is in another file', async () => {
  const folder = join(await createTemporaryFolder(), 'mine');
  const journal = openJournal(folder);
  disk.isFull = true;
  disk.isStuck = true;
  expect(() => journal.append(entry('a'))).toThrow('EIO');
  disk.isFull = false;
  disk.isStuck = false;
  journal.append(entry('b'));
  expect(await readFile(join(folder, '00000001.jsonl'), 'utf8')).toBe(`${JSON.stringify(entry('b'))}\n`);
});
