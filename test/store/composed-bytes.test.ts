import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createComposedBytes } from '../../store/composed-bytes.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let bytes: ReturnType<typeof createComposedBytes>;
beforeAll(async () => {
  database = await openTestDatabase();
  bytes = createComposedBytes(database.db);
  await bytes.ensureIndexes();
});
afterAll(() => database.release());

async function read(bodyId: string, start?: number, end?: number): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of bytes.read(bodyId, start, end)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function* once(text: string): AsyncGenerator<string, void, undefined> {
  yield text;
}

async function compose(bodyId: string, texts: readonly string[]): Promise<void> {
  const parts = texts.map((text, index) => ({ bodyId: `${bodyId}.${index}`, bytes: text.length }));
  for (const [index, text] of texts.entries()) await bytes.write(`${bodyId}.${index}`, once(text));
  await bytes.compose(bodyId, parts);
}

describe('composed bytes', () => {
  it.each([
    [undefined, undefined],
    [0, 3],
    [2, 5],
    [3, 7],
    [6, 99],
    [7, 7],
    [99, 100],
  ])('are those of their parts from %s to %s', async (start, end) => {
    const id = `whole-${start}-${end}`;
    await compose(id, ['abc', 'd', 'efghi']);
    expect(await read(id, start, end)).toBe('abcdefghi'.slice(start, end));
  });

  it('stay as they were composed first', async () => {
    await compose('first', ['abc']);
    await bytes.compose('first', [{ bodyId: 'other', bytes: 9 }]);
    expect(await read('first')).toBe('abc');
    expect(await bytes.isPart('first.0')).toBe(true);
    expect(await bytes.isPart('other')).toBe(false);
  });

  it('go with their parts, also when a removal is repeated', async () => {
    await compose('gone', ['abc', 'def']);
    await bytes.remove('gone');
    await bytes.remove('gone');
    await expect(read('gone')).rejects.toThrow('gone');
    await expect(read('gone.1')).rejects.toThrow('gone');
    expect(await bytes.isPart('gone.1')).toBe(false);
  });
});
