import { access, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { DirectEntry } from '../../../api/direct/direct-entry.ts';
import { openJournal } from '../../../api/direct/journal.ts';
import { keepJournal } from '../../../api/direct/keep-journal.ts';
import { recoverJournals } from '../../../api/direct/recover-journals.ts';
import { newProcessId } from '../../../core/ids.ts';
import { takeOwnedLock } from '../../../core/owned-lock.ts';
import { createTemporaryFolder } from '../../stack/temporary-folder.ts';
import { silentLog } from '../../support/planted.ts';
import { PATIENT } from '../../support/patience.ts';

const entry = (id: string, filling = ''): DirectEntry => ({ log: { _id: id, model: filling } as never });
const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The ids in a journal's files, file by file. */
async function idsIn(folder: string): Promise<string[][]> {
  const names = (await readdir(folder)).toSorted();
  return Promise.all(
    names.map(async (name) =>
      (await readFile(join(folder, name), 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as DirectEntry).log._id),
    ),
  );
}

describe('a journal', () => {
  it('has what was appended and is not in the database yet, for its owner alone', async () => {
    const folder = join(await createTemporaryFolder(), 'journal', 'mine');
    const journal = openJournal(folder);
    const forget = journal.append(entry('a'));
    journal.append(entry('b'));
    expect(await idsIn(folder)).toEqual([['a', 'b']]);
    forget();
    // Only when nothing waits is the file emptied: an entry that is written twice is one entry.
    expect(await idsIn(folder)).toEqual([['a', 'b']]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, '00000000.jsonl'))).mode & 0o777).toBe(0o600);
  });

  it('begins anew in its file when the database has all of it', async () => {
    const folder = join(await createTemporaryFolder(), 'mine');
    const journal = openJournal(folder);
    for (const forget of ['a', 'b'].map((id) => journal.append(entry(id)))) forget();
    expect(await idsIn(folder)).toEqual([[]]);
    journal.append(entry('c'));
    expect(await idsIn(folder)).toEqual([['c']]);
  });

  it('goes on in another file when one is large, and removes it once it is done', async () => {
    const folder = join(await createTemporaryFolder(), 'mine');
    const journal = openJournal(folder);
    const filling = 'x'.repeat(1024 * 1024);
    const forgets = ['a', 'b', 'c', 'd', 'e'].map((id) => journal.append(entry(id, filling)));
    expect(await idsIn(folder)).toEqual([['a', 'b', 'c', 'd'], ['e']]);
    for (const forget of forgets.slice(0, 4)) forget();
    expect(await idsIn(folder)).toEqual([['e']]);
  });

  it('takes nothing more when it is retired: its files are closed', async () => {
    const folder = join(await createTemporaryFolder(), 'mine');
    const journal = openJournal(folder);
    journal.append(entry('a'))();
    journal.retire();
    expect(() => journal.append(entry('b'))).toThrow('retired');
  });

  it('goes on in a folder that somebody has removed', async () => {
    const folder = join(await createTemporaryFolder(), 'mine');
    const journal = openJournal(folder);
    await rm(folder, { recursive: true });
    journal.append(entry('a'));
    expect(await idsIn(folder)).toEqual([['a']]);
  });

  it('is gone when it is retired and nothing in it waits', async () => {
    const folder = join(await createTemporaryFolder(), 'mine');
    const journal = openJournal(folder);
    journal.append(entry('a'))();
    const forget = journal.append(entry('b'));
    journal.retire();
    expect(await idsIn(folder)).toEqual([['b']]);
    forget();
    expect(await isThere(folder)).toBe(false);
  });
});

describe('the journal of a process', () => {
  it('leaves nothing behind when all of it is written', async () => {
    const root = await createTemporaryFolder();
    const keeper = await keepJournal(root, silentLog);
    keeper.append(entry('a'))();
    await keeper.stop();
    expect((await readdir(root)).filter((name) => !name.endsWith('.guard.lock'))).toEqual([]);
  });

  it('is done without where its folder cannot be made, and where its disk takes nothing more', async () => {
    const root = await createTemporaryFolder();
    await writeFile(join(root, 'file'), '');
    const without = await keepJournal(join(root, 'file', 'journal'), silentLog);
    without.append(entry('a'))();
    await without.stop();

    const keeper = await keepJournal(join(root, 'journal'), silentLog);
    const [name] = (await readdir(join(root, 'journal'))).filter((found) => keeper.isOwn(found));
    await rm(join(root, 'journal', name ?? ''), { recursive: true });
    expect(() => keeper.append(entry('a'))()).not.toThrow();
    await keeper.stop();
  });
});

describe('the journal of a process that lost its lock, or had none', () => {
  const ownJournals = async (root: string, isOwn: (name: string) => boolean): Promise<string[]> =>
    (await readdir(root)).filter(isOwn);

  it('goes on in another folder, and leaves the old one to whoever has it now', async () => {
    const root = await createTemporaryFolder();
    const keeper = await keepJournal(root, silentLog);
    const [old = ''] = await ownJournals(root, keeper.isOwn);
    keeper.append(entry('a'));
    await rm(join(root, `${old}.lock`), { recursive: true });
    await vi.waitFor(async () => expect(await ownJournals(root, keeper.isOwn)).toHaveLength(2), PATIENT);
    const next = (await ownJournals(root, keeper.isOwn)).find((name) => name !== old) ?? '';
    keeper.append(entry('b'));
    expect(await idsIn(join(root, old))).toEqual([['a']]);
    expect(await idsIn(join(root, next))).toEqual([['b']]);
    await keeper.stop();
  });

  it('is opened as soon as that is possible', async () => {
    const folder = await createTemporaryFolder();
    const root = join(folder, 'journal');
    await writeFile(root, '');
    const keeper = await keepJournal(root, silentLog);
    keeper.append(entry('a'));
    await rm(root);
    const now = performance.now();
    const later = vi.spyOn(performance, 'now').mockReturnValue(now + 10_001);
    try {
      keeper.append(entry('b'));
    } finally {
      later.mockRestore();
    }
    await vi.waitFor(async () => expect(await ownJournals(root, keeper.isOwn)).toHaveLength(1), PATIENT);
    const [name = ''] = await ownJournals(root, keeper.isOwn);
    keeper.append(entry('c'));
    expect(await idsIn(join(root, name))).toEqual([['c']]);
    await keeper.stop();
  });
});

describe('the recovery of journals', () => {
  const recover = async (root: string, isOwn = (_name: string) => false): Promise<string[]> => {
    const written: string[] = [];
    const write = async (entries: readonly DirectEntry[]): Promise<void> =>
      void written.push(...entries.map(({ log }) => log._id));
    await recoverJournals({ root, isOwn, write, log: silentLog });
    return written;
  };

  it('writes down what a process that has ended left, in its order, and removes it', async () => {
    const root = await createTemporaryFolder();
    const name = newProcessId();
    const journal = openJournal(join(root, name));
    const filling = 'x'.repeat(3 * 1024 * 1024);
    for (const id of ['a', 'b', 'c']) journal.append(entry(id, filling));
    expect(await recover(root)).toEqual(['a', 'b', 'c']);
    expect(await isThere(join(root, name))).toBe(false);
    expect(await recover(root)).toEqual([]);
  });

  it('leaves out a line that the kill has cut short', async () => {
    const root = await createTemporaryFolder();
    const folder = join(root, newProcessId());
    await mkdir(folder);
    await writeFile(join(folder, '00000000.jsonl'), `${JSON.stringify(entry('a'))}\n{"log":{"_id":"b`);
    expect(await recover(root)).toEqual(['a']);
  });

  it('leaves out what is no entry, and what is no file of a journal', async () => {
    const root = await createTemporaryFolder();
    const folder = join(root, newProcessId());
    await mkdir(join(folder, '00000001.jsonl.d'), { recursive: true });
    const lines = [
      'null',
      '7',
      '[]',
      '{}',
      '{"log":null}',
      '{"log":{"_id":"b"},"ledger":3}',
      JSON.stringify(entry('a')),
    ];
    await writeFile(join(folder, '00000000.jsonl'), lines.join('\n'));
    expect(await recover(root)).toEqual(['a']);
    expect(await isThere(folder)).toBe(false);
  });

  it('goes on with the others when one journal can’t be read', async () => {
    const root = await createTemporaryFolder();
    const bad = `proc_${'0'.repeat(32)}`;
    await mkdir(join(root, bad, '00000000.jsonl'), { recursive: true });
    openJournal(join(root, newProcessId())).append(entry('a'));
    const written: string[] = [];
    const write = async (entries: readonly DirectEntry[]): Promise<void> =>
      void written.push(...entries.map(({ log }) => log._id));
    await expect(recoverJournals({ root, isOwn: () => false, write, log: silentLog })).rejects.toThrow('EISDIR');
    expect(written).toEqual(['a']);
    expect(await isThere(join(root, bad))).toBe(true);
  });

  it('leaves a journal alone whose process lives, its own, and what is no journal', async () => {
    const root = await createTemporaryFolder();
    const [living, own] = [newProcessId(), newProcessId()];
    for (const name of [living, own, 'notes']) openJournal(join(root, name)).append(entry(name));
    const release = await takeOwnedLock(join(root, living), () => undefined);
    expect(await recover(root, (name) => name === own)).toEqual([]);
    await release();
    expect(await recover(root, (name) => name === own)).toEqual([living]);
  });

  it('keeps a journal that could not be written', async () => {
    const root = await createTemporaryFolder();
    openJournal(join(root, newProcessId())).append(entry('a'));
    const write = () => Promise.reject(new Error('the database is away'));
    await expect(recoverJournals({ root, isOwn: () => false, write, log: silentLog })).rejects.toThrow('away');
    expect(await recover(root)).toEqual(['a']);
  });
});
