import { setTimeout as sleep } from 'node:timers/promises';
import { MongoBulkWriteError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import type { DirectEntry } from '../../../api/direct/direct-entry.ts';
import { createWriteBehind } from '../../../api/direct/write-behind.ts';
import { keptLog } from '../../support/planted.ts';

function plantBooks(failures = 0, refuses: (id: string) => Error | undefined = () => undefined) {
  const groups: string[][] = [];
  const paid: string[] = [];
  const order: string[] = [];
  const kept = new Set<string>();
  let left = failures;
  const { log, lines } = keptLog();
  const books = createWriteBehind({
    log,
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
        const refusal = entries.map(({ _id }) => refuses(_id)).find((error) => error !== undefined);
        if (refusal !== undefined) throw refusal;
        groups.push(entries.map((entry) => entry._id));
      },
    },
  });
  return { books, groups, paid, order, kept, lines };
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

describe('an entry of the books that can’t be written', () => {
  const refusal = (code = 121): Error =>
    new MongoBulkWriteError({ message: 'refused', writeErrors: [{ code }] } as never, {} as never);
  const setAside = (lines: readonly string[]): unknown[] =>
    lines
      .filter((line) => line.includes('can’t be written'))
      .map((line) => (JSON.parse(line) as { entry: DirectEntry }).entry);

  it('is set aside with all that it says, and nothing else is lost', async () => {
    const { books, groups, kept, lines } = plantBooks(0, (id) => (id === 'bad' ? refusal() : undefined));
    for (const id of ['a', 'bad', 'b']) books.add(entry(id));
    await books.stop();
    expect(groups).toEqual([['a'], ['b']]);
    expect([...kept]).toEqual([]);
    expect(setAside(lines)).toEqual([entry('bad')]);
    books.add(entry('c'));
    await books.stop();
    expect(groups.at(-1)).toEqual(['c']);
  });

  it('is set aside also for a reason that nobody knows, once others are taken while it is refused', async () => {
    const { books, groups, lines } = plantBooks(0, (id) => (id === 'bad' ? refusal(8) : undefined));
    books.add(entry('bad'));
    // Alone it may be the database that is at fault.
    await sleep(3_500);
    expect(setAside(lines)).toEqual([]);
    books.add(entry('a'));
    await books.stop();
    expect(groups).toEqual([['a']]);
    expect(setAside(lines)).toEqual([entry('bad')]);
  });

  it('is none for a while when the database says nothing of it, though others are taken meanwhile', async () => {
    let isFailing = true;
    const { books, groups, kept, lines } = plantBooks(0, (id) =>
      id === 'a' && isFailing ? new Error('who knows') : undefined,
    );
    books.add(entry('a'));
    await sleep(3_500);
    books.add(entry('b'));
    await expect.poll(() => groups).toEqual([['b']]);
    await sleep(1_000);
    expect([...kept]).toEqual(['a']);
    isFailing = false;
    await books.stop();
    expect(groups).toEqual([['b'], ['a']]);
    expect(setAside(lines)).toEqual([]);
  });

  it('is none while the database refuses all of them, whatever it says', async () => {
    let isClosed = true;
    const { books, groups, lines } = plantBooks(0, () => (isClosed ? new Error('not authorized') : undefined));
    for (const id of ['a', 'b', 'c']) books.add(entry(id));
    await sleep(7_000);
    isClosed = false;
    await books.stop();
    expect(groups).toEqual([['a', 'b', 'c']]);
    expect(setAside(lines)).toEqual([]);
  });

  it('does not hold up what another process has left', async () => {
    const { books, groups } = plantBooks(0, (id) => (id === 'bad' ? refusal() : undefined));
    await books.write([entry('a'), entry('bad')]);
    expect(groups).toEqual([['a']]);
  });

  it('does not hold that up either while others are written all the time', async () => {
    const { books, lines } = plantBooks(0, (id) => (id === 'bad' ? refusal(8) : undefined));
    let id = 0;
    const traffic = setInterval(() => books.add(entry(String((id += 1)))), 50);
    try {
      await books.write([entry('bad')]);
    } finally {
      clearInterval(traffic);
    }
    expect(setAside(lines)).toEqual([entry('bad')]);
    await books.stop();
  });
});
