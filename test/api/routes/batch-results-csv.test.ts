import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCsv } from '../../../core/csv/read-csv.ts';
import { result, rows } from '../../support/batch-world.ts';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

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

const OURS = ['custom_id', 'status', 'answer', 'error', 'model', 'prompt_tokens', 'completion_tokens', 'lane'];
const BODY = { model: 'm', messages: [{ role: 'user', content: '{{text}}' }] };
const answer = (content: string) => ({ body: JSON.stringify({ model: 'm-1', choices: [{ message: { content } }] }) });
const FAILED = { kind: 'failed', statusCode: 400, body: '{"error":{"message":"bad"}}', usage: null } as const;

async function running(content: string, filename: string): Promise<{ batchId: string; fileId: string }> {
  const file = await api.putFile(content, { ownerId: api.ownerId, filename });
  const template = { text: JSON.stringify({ body: BODY, custom_id: null }), delimiter: null, bodyId: null };
  const { _id: batchId } = await api.putBatch(file._id, { ownerId: api.ownerId, template });
  expect(await api.validateBatch({ batchId })).toMatchObject({ valid: true });
  return { batchId, fileId: file._id };
}

const ask = (batchId: string, query = '', secret = api.secret) =>
  api.app.inject({
    url: `/v1/batches/${batchId}/results?format=csv${query}`,
    headers: { authorization: `Bearer ${secret}` },
  });

async function table(batchId: string, query = ''): Promise<string[][]> {
  const response = await ask(batchId, query);
  expect(response.statusCode).toBe(200);
  expect(response.headers['content-type']).toBe('text/csv; charset=utf-8; header=present');
  const read: string[][] = [];
  async function* source() {
    yield response.rawPayload;
  }
  for await (const item of readCsv(source(), { delimiter: ',' })) {
    if (item.kind === 'problem') throw new Error(item.message);
    read.push([...(item.kind === 'header' ? item.columns : item.cells)]);
  }
  return read;
}

describe('GET /v1/batches/{id}/results?format=csv', () => {
  it('has the columns of the input and then what came out, in the order of the input, while the batch runs', async () => {
    const { batchId } = await running('id;text\n7;"a\nb"\n\n8;=x\n9;y\n', 'rows.CSV');
    const lane = await api.lanes.list();
    expect(lane).toEqual([]);
    await api.results.insertMany([
      result(batchId, 3, { ...FAILED, customId: 'row-3', laneId: null }),
      result(batchId, 1, { ...answer('Hallo, "Welt"'), customId: 'row-1' }),
    ]);
    expect(await table(batchId)).toEqual([
      ['id', 'text', ...OURS],
      ['7', 'a\nb', 'row-1', '200', 'Hallo, "Welt"', '', 'm-1', '10', '5', 'lane'],
      ['9', 'y', 'row-3', '400', '', 'bad', '', '', '', ''],
    ]);
    await api.results.insertMany([result(batchId, 2, { ...answer('-1+1'), customId: 'row-2' })]);
    expect((await table(batchId, '&kind=completed')).map((cells) => cells.slice(0, 5))).toEqual([
      ['id', 'text', 'custom_id', 'status', 'answer'],
      ['7', 'a\nb', 'row-1', '200', 'Hallo, "Welt"'],
      ['8', "'=x", 'row-2', '200', "'-1+1"],
    ]);
    expect((await table(batchId, '&raw=true'))[2]?.slice(0, 5)).toEqual(['8', '=x', 'row-2', '200', '-1+1']);
    expect((await table(batchId, '&columns=none'))[0]).toEqual(OURS);
  });

  it('has the names of all JSON lines, and ours are renamed where the input has them', async () => {
    const content = '{"text":"x","status":1,"a.b":null}\n{"text":"y","a":{"b":2},"custom_id":"z"}\n';
    const { batchId } = await running(content, 'rows.jsonl');
    await api.results.insertMany([1, 2].map((line) => result(batchId, line, answer('ok'))));
    const [header, first, second] = await table(batchId);
    expect(header).toEqual([
      'text',
      'status',
      'a.b',
      'a',
      'custom_id',
      'result_custom_id',
      'result_status',
      ...OURS.slice(2),
    ]);
    expect(first?.slice(0, 6)).toEqual(['x', '1', '', '', '', 'id-1']);
    expect(second?.slice(0, 6)).toEqual(['y', '', '', '{"b":2}', 'z', 'id-2']);
  });

  it('has every row of a large batch once, over many pages', async () => {
    const { batchId } = await running(
      `text\n${Array.from({ length: 330 }, (_, i) => `t${i + 1}\n`).join('')}`,
      'r.csv',
    );
    const lines = Array.from({ length: 330 }, (_, index) => index + 1).filter((line) => line % 3 > 0);
    await api.results.insertMany(lines.map((line) => result(batchId, line)));
    const [, ...cells] = await table(batchId);
    expect(cells.map(([text, customId]) => [text, customId])).toEqual(lines.map((line) => [`t${line}`, `id-${line}`]));
  });

  it('has our columns alone for a batch of lines', async () => {
    const file = await api.putFile(rows(60), { ownerId: api.ownerId });
    const { _id: batchId } = await api.putBatch(file._id, { ownerId: api.ownerId });
    expect(await table(batchId)).toEqual([OURS]);
    await api.validateBatch({ batchId });
    await api.results.insertMany([1, 2, 60].map((line) => result(batchId, line)));
    expect((await table(batchId)).map(([customId]) => customId)).toEqual(['custom_id', 'id-1', 'id-2', 'id-60']);
  });

  it('says so when the input is gone, and goes on without its columns', async () => {
    const { batchId, fileId } = await running('text\nx\n', 'rows.csv');
    await api.results.insertMany([result(batchId, 1)]);
    await api.client.files.delete(fileId);
    const refused = await ask(batchId);
    expect(refused.statusCode).toBe(409);
    expect(refused.json()).toMatchObject({
      error: { param: 'columns', message: expect.stringMatching(/columns=none/) },
    });
    expect(await table(batchId, '&columns=none')).toHaveLength(2);
  });

  it('refuses what CSV has not, and is a 404 for others', async () => {
    const { batchId } = await running('text\nx\n', 'rows.csv');
    expect((await ask(batchId, '&limit=5')).json()).toMatchObject({
      error: { code: 'unsupported_parameter', param: 'limit' },
    });
    expect((await ask(batchId, '&raw=1')).json()).toMatchObject({ error: { code: 'invalid_value', param: 'raw' } });
    expect((await ask('batch_unknown')).statusCode).toBe(404);
    expect((await ask(batchId, '', 'sk-fl-other')).statusCode).toBe(401);
    const other = await fetch(`${api.url}/v1/batches/${batchId}/results?format=csv`, {
      headers: { authorization: `Bearer ${api.otherClient.apiKey}` },
    });
    expect(other.status).toBe(404);
  });
});
