import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chunkKey } from '../../../core/contracts/ids.ts';
import { makeLines } from '../../../activities/batch/make-lines.ts';
import { releaseFile } from '../../../store/release-file.ts';
import { createBatchWorld, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());
beforeEach(() => void world.modelsAsked.splice(0));

const BODY = { model: 'm', messages: [{ role: 'user', content: 'Translate: {{text}}' }] };

async function prepare(content: string, given: { body?: object; customId?: string | null; filename?: string } = {}) {
  const { body = BODY, customId = null, filename = 'rows.csv' } = given;
  const file = await world.putFile(content, { filename });
  const template = { text: JSON.stringify({ body, custom_id: customId }), delimiter: null, bodyId: null };
  return { file, template, batch: await world.putBatch(file._id, { template }) };
}

async function validate(content: string, given: Parameters<typeof prepare>[1] = {}) {
  const { batch } = await prepare(content, given);
  const outcome = await world.validateBatch({ batchId: batch._id });
  return { outcome, batch: await world.read(batch._id) };
}

/** Bodies whose id begins with this batch's, which only lines made of rows have. */
const madeBodies = async (batchId: string): Promise<number> =>
  (await database.db.collection<{ _id: string }>('bodies.files').find().toArray()).filter(({ _id }) =>
    _id.startsWith(`${batchId}.lines.`),
  ).length;

const unclaimed = (): Promise<number> => database.db.collection('unclaimed_bodies').countDocuments();

describe('rows become lines', () => {
  it('of CSV, with line breaks in cells and numbers of their own', async () => {
    const { outcome, batch } = await validate('\uFEFFid;text\r\n1;"a\r\n""b"""\r\n\r\n2;{{id}}\r\n');
    expect(batch.errors).toBeNull();
    expect(outcome).toEqual({ valid: true, chunks: 1 });
    expect(batch).toMatchObject({ status: 'in_progress', counts: { total: 2 }, model: 'm' });
    const rows = await world.chunkReader.read(batch._id, 0);
    expect(rows.map(({ line, customId, body }) => ({ line, customId, body }))).toEqual([
      {
        line: 1,
        customId: 'row-1',
        body: { model: 'm', messages: [{ role: 'user', content: 'Translate: a\r\n"b"' }] },
      },
      { line: 2, customId: 'row-2', body: { model: 'm', messages: [{ role: 'user', content: 'Translate: {{id}}' }] } },
    ]);
    expect(await unclaimed()).toBe(0);
  });

  it('of JSON lines, with values of every type', async () => {
    const body = { ...BODY, seed: '{{n}}', metadata: '{{user}}' };
    const { batch } = await validate('{"id":7,"n":1,"text":"x","user":{"name":"Ann"}}\n\n', {
      body,
      customId: '{{user.name}}-{{id}}',
      filename: 'rows.jsonl',
    });
    const rows = await world.chunkReader.read(batch._id, 0);
    expect(rows.map(({ customId, body: { seed, metadata } }) => ({ customId, seed, metadata }))).toEqual([
      { customId: 'Ann-7', seed: 1, metadata: { name: 'Ann' } },
    ]);
  });

  it('in several chunks of a large file, and says how far it is', async () => {
    world.progress.splice(0);
    const content = `id,text\n${Array.from({ length: 1200 }, (_, i) => `${i},${'long '.repeat(200)}${i}\n`).join('')}`;
    const { outcome, batch } = await validate(content, { customId: 'c{{id}}' });
    expect(outcome).toEqual({ valid: true, chunks: 5 });
    const last = await world.chunkReader.read(batch._id, 4);
    expect(last.at(-1)).toMatchObject({ line: 1200, customId: 'c1199' });
    expect(world.progress.length).toBeGreaterThan(4);
  });
});

describe('rows are refused', () => {
  it.each<[string, string, Parameters<typeof prepare>[1], unknown[]]>([
    [
      'for a column that is not there, with those that are',
      '\nid,text\n1,x',
      { body: { ...BODY, user: '{{user id}}' } },
      [
        {
          code: 'unknown_column',
          param: 'template',
          line: 2,
          message: 'The template names the column "user id", which is not there; there are "id", "text".',
        },
      ],
    ],
    [
      'for their number of cells, each with its line',
      'id,text\n"1\n1",x\n2\n3,x\n4,x,y\n',
      {},
      [
        { code: 'invalid_csv', param: null, line: 4, message: 'This row has 1 cell; the header row names 2 columns.' },
        { code: 'invalid_csv', param: null, line: 6, message: 'This row has 3 cells; the header row names 2 columns.' },
      ],
    ],
    [
      'for custom_ids alike, by the lines of the file',
      'id,text\n"1",x\n"2","a\nb"\n1,x\n',
      { customId: '{{id}}' },
      [
        {
          code: 'duplicate_custom_id',
          param: 'custom_id',
          line: 5,
          message: "The custom_id '1' is used by line 2 already; it must be unique in the file.",
        },
      ],
    ],
    [
      'for a model that nobody serves',
      'model,text\nm,"a\nb"\nunknown,x',
      { body: { ...BODY, model: '{{model}}' } },
      [
        {
          code: 'model_not_found',
          param: 'body.model',
          line: 4,
          message: "The provided model 'unknown' is not supported by the Batch API.",
        },
      ],
    ],
    [
      'for a header row alone',
      'id,text\n',
      {},
      [{ code: 'empty_file', param: 'input_file_id', line: null, message: expect.any(String) }],
    ],
    [
      'for no header row',
      '\n',
      {},
      [{ code: 'invalid_csv', param: null, line: null, message: 'The file has no header row.' }],
    ],
    [
      'for JSON that is none, and for a field that a row lacks',
      '{"text":"x"}\n[1]\n\n{"other":1}',
      { filename: 'rows.jsonl' },
      [
        {
          code: 'invalid_json_line',
          param: null,
          line: 2,
          message: 'This line is not a JSON object, so it has no columns.',
        },
        { code: 'invalid_json_line', param: null, line: 3, message: 'This line is not parseable as valid JSON.' },
        {
          code: 'unknown_column',
          param: 'template',
          line: 4,
          message: 'The template names the column "text", which is not there; there are "other".',
        },
      ],
    ],
  ])('%s', async (_what, content, given, errors) => {
    const { outcome, batch } = await validate(content, given);
    expect(outcome).toEqual({ valid: false });
    expect(batch).toMatchObject({ status: 'failed', counts: { total: 0 } });
    expect(batch.errors).toEqual(errors);
    expect(await madeBodies(batch._id)).toBe(0);
    expect(await unclaimed()).toBe(0);
  });

  it('at the thousandth bad one, and no further', async () => {
    const { batch } = await validate(`a,text\n${'x\n'.repeat(3000)}`);
    expect(batch.errors).toHaveLength(1000);
    expect(batch.errors?.at(-1)).toMatchObject({ code: 'invalid_csv', line: 1001 });
  });

  it('when there are more than a batch takes', async () => {
    const { batch } = await validate(`text\n${'x\n'.repeat(50_002)}`);
    expect(batch.errors).toEqual([
      {
        code: 'invalid_request',
        message: 'The input file has more than 50000 lines.',
        param: 'input_file_id',
        line: null,
      },
    ]);
  });

  it('when the template makes too much of them', async () => {
    const { batch, file, template } = await prepare(`text\n${'x\n'.repeat(2000)}`);
    const made = await makeLines({ ...world, checkIn: () => {}, maxMadeBytes: 100_000 }, batch, template, file);
    expect(made).toMatchObject({ ok: false, errors: [{ code: 'invalid_request', param: 'template', line: null }] });
    expect(await madeBodies(batch._id)).toBe(0);
  });
});

describe('making lines', () => {
  const content = `id,text\n${Array.from({ length: 600 }, (_, i) => `${i},"t\n${i}"\n`).join('')}`;

  it('twice at once leaves one copy, which all chunks are in', async () => {
    const { batch } = await prepare(content, { customId: '{{id}}' });
    const outcomes = await Promise.all([1, 2, 3].map(() => world.validateBatch({ batchId: batch._id })));
    expect(outcomes).toEqual(Array.from({ length: 3 }, () => ({ valid: true, chunks: 3 })));
    const { template } = await world.read(batch._id);
    expect(await madeBodies(batch._id)).toBe(1);
    expect(await unclaimed()).toBe(0);
    for (const index of [0, 1, 2]) {
      expect((await world.chunks.find(chunkKey(batch._id, index)))?.bodyId).toBe(template?.bodyId);
      expect(await world.chunkReader.read(batch._id, index)).toHaveLength(index < 2 ? 250 : 100);
    }
  });

  it('again after a crash goes on with what is there, and still knows the lines of the file', async () => {
    const { batch, file, template } = await prepare(`id,text\n1,"a\nb"\n1,x\n`, { customId: '{{id}}' });
    const first = await makeLines({ ...world, checkIn: () => {} }, batch, template, file);
    if (first === null || !first.ok) throw new Error('the lines were not made');
    // As if the crash came before the bytes were claimed.
    await database.db.collection<{ _id: string }>('unclaimed_bodies').insertOne({ _id: first.bodyId });
    expect((await world.read(batch._id)).template?.bodyId).toBe(first.bodyId);
    expect(await world.validateBatch({ batchId: batch._id })).toEqual({ valid: false });
    expect((await world.read(batch._id)).errors).toMatchObject([{ code: 'duplicate_custom_id', line: 4 }]);
    expect(await madeBodies(batch._id)).toBe(0);
    expect(await unclaimed()).toBe(0);
  });

  it('of a batch that was cancelled meanwhile keeps nothing', async () => {
    const { batch, file, template } = await prepare(content);
    await world.batches.transition(batch._id, 'cancelling', world.clock.now());
    expect(await makeLines({ ...world, checkIn: () => {} }, batch, template, file)).toBeNull();
    expect(await madeBodies(batch._id)).toBe(0);
    expect(await unclaimed()).toBe(0);
  });

  it('that is cut off leaves nothing', async () => {
    const { batch, file, template } = await prepare(content);
    const checkIn = (): void => {
      throw new Error('the worker stops');
    };
    await expect(makeLines({ ...world, checkIn }, batch, template, file)).rejects.toThrow('the worker stops');
    expect(await madeBodies(batch._id)).toBe(0);
    expect(await unclaimed()).toBe(0);
  });
});

describe('lines that were made', () => {
  it('stay as long as the file of the rows, and go with it', async () => {
    const { batch, file } = await prepare('text\nx\n');
    await world.validateBatch({ batchId: batch._id });
    await world.finalizeBatch({ batchId: batch._id, reason: 'expired' });
    expect(await releaseFile(world, file._id, world.clock.now())).toBe(false);
    expect(await madeBodies(batch._id)).toBe(1);
    await world.files.markDeleted(file.ownerId, file._id, world.clock.now());
    expect(await releaseFile(world, file._id, world.clock.now())).toBe(true);
    expect(await madeBodies(batch._id)).toBe(0);
  });

  it('go at the end of their batch when the file was deleted while it ran', async () => {
    const { batch, file } = await prepare('text\nx\n');
    await world.validateBatch({ batchId: batch._id });
    await world.files.markDeleted(file.ownerId, file._id, world.clock.now());
    expect(await releaseFile(world, file._id, world.clock.now())).toBe(false);
    await world.finalizeBatch({ batchId: batch._id, reason: 'expired' });
    expect(await madeBodies(batch._id)).toBe(0);
  });

  it('go at once when their batch was cancelled before it ran', async () => {
    const { batch, file, template } = await prepare('text\nx\n');
    await makeLines({ ...world, checkIn: () => {} }, batch, template, file);
    expect(await madeBodies(batch._id)).toBe(1);
    await world.batches.transition(batch._id, 'cancelling', world.clock.now());
    await world.finalizeBatch({ batchId: batch._id, reason: 'cancelled' });
    expect(await madeBodies(batch._id)).toBe(0);
  });
});
