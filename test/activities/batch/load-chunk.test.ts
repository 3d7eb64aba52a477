import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChunkReader } from '../../../activities/batch/load-chunk.ts';
import { textOf } from '../../../core/wire/written-text.ts';
import { createBatchWorld, result, row, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

async function validated(content: string): Promise<string> {
  const { _id } = await world.putBatch((await world.putFile(content))._id);
  expect(await world.validateBatch({ batchId: _id })).toMatchObject({ valid: true });
  return _id;
}

/** A reader whose reads of bytes are counted. */
function countingReader(maxCacheBytes?: number) {
  let reads = 0;
  const bytes: BatchWorld['files']['bytes'] = {
    ...world.files.bytes,
    read: (...range) => {
      reads++;
      return world.files.bytes.read(...range);
    },
  };
  const cache = maxCacheBytes === undefined ? {} : { maxCacheBytes };
  const reader = createChunkReader({ ...world, files: { ...world.files, bytes }, ...cache });
  return { reader, reads: () => reads };
}

describe('the reader of chunks', () => {
  it('gives rows with their bodies, after BOM and CRLF', async () => {
    const batchId = await validated(`\uFEFF${row('ä', { seed: 1 })}\r\n${row('b')}\r\n\r\n`);
    const [first, second] = await world.chunkReader.read(batchId, 0);
    expect(first).toMatchObject({ line: 1, customId: 'ä', body: { model: 'm', seed: 1 } });
    expect(JSON.parse(first?.bodyText ?? '')).toEqual(first?.body);
    expect(second).toMatchObject({ line: 2, customId: 'b' });
  });

  it('keeps a body as it is written', async () => {
    const body = '{"model":"m", "messages":[{"role":"user","content":"x"}],"10":12345678901234567890}';
    const batchId = await validated(`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body": ${body} }`);
    const [only] = await world.chunkReader.read(batchId, 0);
    expect(textOf(only?.body)).toBe(body);
  });

  it('reads a chunk once for many readers at once, and not again', async () => {
    const batchId = await validated(rows(300));
    const { reader, reads } = countingReader();
    const found = await Promise.all(Array.from({ length: 10 }, () => reader.read(batchId, 1)));
    expect(found.every((read) => read === found[0])).toBe(true);
    await reader.read(batchId, 1);
    expect(reads()).toBe(1);
  });

  it('serves a chunk that is larger than its cache, each time anew', async () => {
    const batchId = await validated(rows(10));
    const { reader, reads } = countingReader(100);
    expect(await reader.read(batchId, 0)).toHaveLength(10);
    expect(await reader.read(batchId, 0)).toHaveLength(10);
    expect(reads()).toBe(2);
  });

  it('throws for a chunk that is not there', async () => {
    const batchId = await validated(rows(1));
    await expect(world.chunkReader.read(batchId, 1)).rejects.toThrow('There is no chunk 1');
  });

  it('names the lines without an outcome, by model', async () => {
    const batchId = await validated(
      ['x', 'y', 'x', 'y', 'x'].map((model, index) => row(`id-${index}`, { model })).join('\n'),
    );
    expect(await world.chunkReader.pendingLines(batchId, 0)).toEqual({
      models: [
        { model: 'x', lines: [1, 3, 5] },
        { model: 'y', lines: [2, 4] },
      ],
    });
    await world.results.insertMany([2, 3, 4].map((line) => result(batchId, line)));
    expect(await world.chunkReader.pendingLines(batchId, 0)).toEqual({ models: [{ model: 'x', lines: [1, 5] }] });
  });
});
