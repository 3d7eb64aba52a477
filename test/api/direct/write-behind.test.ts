import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { DirectEntry } from '../../../api/direct/direct-entry.ts';
import { createWriteBehind } from '../../../api/direct/write-behind.ts';
import { silentLog } from '../../support/planted.ts';

function plantBooks(failures = 0) {
  const groups: string[][] = [];
  const paid: string[] = [];
  const order: string[] = [];
  const kept = new Set<string>();
  let left = failures;
  const books = createWriteBehind({
    log: silentLog,
    journal: {
      append: ({ log }) => {
        kept.add(log._id);
        return () => void kept.delete(log._id);
      },
    },
    ledger: {
      settle: async (rows) => {
        order.push('ledger');
        if (left > 0) {
          left -= 1;
          throw new Error('the database is away');
        }
        paid.push(...rows.map((row) => row._id));
      },
    },
    laneLog: {
      insertMissing: async (entries) => {
        order.push('log');
        groups.push(entries.map((entry) => entry._id));
      },
    },
  });
  return { books, groups, paid, order, kept };
}

const entry = (id: string): DirectEntry => ({ log: { _id: id } as never, ledger: { _id: `${id}#1.1` } as never });

describe('the books of the direct path', () => {
  it('are written in groups, behind those who add to them', async () => {
    const { books, groups, paid } = plantBooks();
    for (const id of ['a', 'b', 'c']) books.add(entry(id));
    expect(groups).toEqual([]);
    await books.stop();
    expect(groups).toEqual([['a', 'b', 'c']]);
    expect(paid).toEqual(['a#1.1', 'b#1.1', 'c#1.1']);
  });

  it('are in the journal from the first moment until they are written', async () => {
    const { books, kept } = plantBooks(1);
    books.add(entry('a'));
    books.add(entry('b'));
    expect([...kept]).toEqual(['a', 'b']);
    await books.stop();
    expect([...kept]).toEqual([]);
  });

  it('take what another process has left, until the database has it', async () => {
    const { books, groups, paid } = plantBooks(1);
    await books.write([entry('a'), entry('b')]);
    expect(groups).toEqual([['a', 'b']]);
    expect(paid).toEqual(['a#1.1', 'b#1.1']);
  });

  it('are written without a stop as well', async () => {
    const { books, groups } = plantBooks();
    books.add(entry('a'));
    while (groups.length === 0) await sleep(5);
    books.add(entry('b'));
    while (groups.length === 1) await sleep(5);
    expect(groups).toEqual([['a'], ['b']]);
  });

  it('say first what was paid', async () => {
    const { books, order } = plantBooks();
    books.add(entry('a'));
    await books.stop();
    expect(order).toEqual(['ledger', 'log']);
  });

  it('keep what could not be written, in its order, until it can', async () => {
    const { books, groups, paid } = plantBooks(2);
    books.add(entry('a'));
    books.add(entry('b'));
    await books.stop();
    expect(groups.flat()).toEqual(['a', 'b']);
    expect(paid).toEqual(['a#1.1', 'b#1.1']);
  });

  it('let requests in at once while little waits, and as fast as they are written when much does', async () => {
    const { books, groups } = plantBooks();
    for (let id = 0; id < 999; id += 1) books.add(entry(String(id)));
    expect(books.admit()).toBe(true);
    books.add(entry('last'));
    const admitted = books.admit();
    expect(admitted).not.toBe(true);
    expect(await admitted).toBe(true);
    expect(groups.flat().length).toBeGreaterThan(0);
    await books.stop();
    expect(books.admit()).toBe(true);
    expect(groups.flat()).toHaveLength(1_000);
    expect(new Set(groups.flat()).size).toBe(1_000);
  });

  it('let requests in after a pause while the database is away, until too much waits', async () => {
    const { books, groups } = plantBooks(6);
    for (let id = 0; id < 4_999; id += 1) books.add(entry(String(id)));
    expect(await books.admit()).toBe(true);
    books.add(entry('last'));
    expect(await books.admit()).toBe(false);
    await books.stop();
    expect(books.admit()).toBe(true);
    expect(new Set(groups.flat()).size).toBe(5_000);
  });
});
