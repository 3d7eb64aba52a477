import { BadRequestError, toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { row } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const upload = async (content: string | Buffer, name: string) =>
  api.client.files.create({ file: await toFile(Buffer.from(content as string), name), purpose: 'batch' });

const create = (inputFileId: string, template?: unknown) =>
  api.client.batches.create({
    input_file_id: inputFileId,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    ...(template === undefined ? {} : { template }),
  });

async function refusal(promise: Promise<unknown>): Promise<BadRequestError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof BadRequestError) return error;
  throw new Error('it was not refused with a 400', { cause: error });
}

const TEMPLATE = { body: { model: 'm', messages: [{ role: 'user', content: '{{text}}' }] } };

describe('an upload for a batch', () => {
  it.each([
    ['a table', 'id,text\n1,x\n', 'rows.csv'],
    ['a table with a BOM', '\uFEFFid,text\n', 'Rows.CSV'],
    ['a table that begins with a blank line', '\nid,text\n', 'rows.csv'],
    ['plain JSON lines', '{"id":1}\n', 'rows.jsonl'],
  ])('may be %s', async (_what, content, name) => {
    expect(await upload(content, name)).toMatchObject({ filename: name, purpose: 'batch', status: 'processed' });
  });

  it.each([
    ['UTF-16', Buffer.from('\uFEFFid,text\n', 'utf16le'), 'rows.csv', /not text in UTF-8/],
    ['Latin-1', Buffer.from('größe\n', 'latin1'), 'rows.csv', /not text in UTF-8/],
    ['nothing', '', 'rows.csv', /is empty/],
    [
      'a table under another name',
      'id,text\n',
      'rows.tsv',
      /^400 Invalid file format for Batch API\. Must be \.jsonl$/,
    ],
    ['a table that says it is JSON', 'id,text\n', 'rows.jsonl', /not parseable as valid JSON/],
  ])('may not be %s', async (_what, content, name, message) => {
    expect((await refusal(upload(content, name))).message).toMatch(message);
  });
});

describe('a batch with a template', () => {
  it("is OpenAI's object to the letter, and keeps its template", async () => {
    const table = await create((await upload('text\nx\n', 'rows.csv')).id, {
      ...TEMPLATE,
      custom_id: '{{text}}',
      delimiter: ';',
    });
    const plain = await create((await upload(row('a'), 'lines.jsonl')).id);
    expect(Object.keys(table)).toEqual(Object.keys(plain));
    expect((await api.read(table.id)).template).toEqual({
      text: JSON.stringify({ body: TEMPLATE.body, custom_id: '{{text}}' }),
      delimiter: ';',
      bodyId: null,
    });
    expect((await api.read(plain.id)).template).toBeNull();
  });

  it('is asked for when the file is a table', async () => {
    const { id } = await upload('text\nx\n', 'rows.csv');
    expect(await refusal(create(id))).toMatchObject({ code: 'missing_required_parameter', param: 'template' });
    expect(await refusal(create(id, null))).toMatchObject({ code: 'missing_required_parameter', param: 'template' });
  });

  it('is refused at once when the template can mean nothing', async () => {
    const { id } = await upload('text\nx\n', 'rows.csv');
    expect(await refusal(create(id, { body: { ...TEMPLATE.body, user: '{{text' } }))).toMatchObject({
      code: 'invalid_value',
      param: 'template.body.user',
    });
    expect(await refusal(create(id, { body: [] }))).toMatchObject({ code: 'invalid_type', param: 'template.body' });
  });

  it('fails when the file has not the columns, in the words of a batch that failed', async () => {
    const { id } = await create((await upload('id,value\n1,x\n', 'rows.csv')).id, TEMPLATE);
    await api.validateBatch({ batchId: id });
    expect(await api.client.batches.retrieve(id)).toMatchObject({
      status: 'failed',
      request_counts: { total: 0 },
      errors: {
        object: 'list',
        data: [
          {
            code: 'unknown_column',
            line: 1,
            param: 'template',
            message: expect.stringMatching(/"text".*"id", "value"/),
          },
        ],
      },
    });
  });
});
