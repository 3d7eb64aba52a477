import { setTimeout as sleep } from 'node:timers/promises';
import { toFile, type OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCsv } from '../../core/csv/read-csv.ts';
import { isOver } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

const ROWS = 330;

/** Cells of every kind: line breaks, quotes, delimiters, braces, what a spreadsheet would run, other scripts. */
const TEXTS = ['plain', 'two\nlines', 'say "x"', 'a;b,c', '{{id}} \\{{', '=1+1', 'ñ 名 😀', ' spaces '];

const textOf = (index: number): string => `${TEXTS[index % TEXTS.length]}${index}`;

describe('a batch made of a CSV file, on a running flatlane', () => {
  let gateway: Gateway;
  let client: OpenAI;
  beforeAll(async () => {
    gateway = await startGateway();
    const { admin, openai } = gateway;
    await admin.addKeyLane({
      alias: 'first',
      baseUrl: openai.url,
      apiKey: openai.key,
      models: ['gpt-5.4', 'text-embedding-3-small'],
    });
    client = gateway.client();
  });
  afterAll(() => gateway.stop());

  const run = async (
    content: string,
    name: string,
    template: object,
    endpoint: OpenAI.BatchCreateParams['endpoint'] = '/v1/chat/completions',
  ): Promise<OpenAI.Batch> => {
    const file = await client.files.create({ file: await toFile(Buffer.from(content), name), purpose: 'batch' });
    const more = { template };
    let batch = await client.batches.create({
      input_file_id: file.id,
      endpoint,
      completion_window: '24h',
      ...more,
    });
    while (!isOver(batch)) {
      await sleep(100);
      batch = await client.batches.retrieve(batch.id);
    }
    return batch;
  };

  const table = async (batchId: string, query = ''): Promise<Record<string, string>[]> => {
    const response = await client.get(`/batches/${batchId}/results?format=csv${query}`, { __binaryResponse: true });
    const bytes = Buffer.from(await (response as Response).arrayBuffer());
    const rows: Record<string, string>[] = [];
    let columns: readonly string[] = [];
    async function* source() {
      yield bytes;
    }
    for await (const item of readCsv(source(), { delimiter: ',' })) {
      if (item.kind === 'problem') throw new Error(item.message);
      if (item.kind === 'header') ({ columns } = item);
      else rows.push(Object.fromEntries(columns.map((column, index) => [column, item.cells[index] ?? ''])));
    }
    return rows;
  };

  it('brings every row once, beside its own columns', async () => {
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    const rows = Array.from({ length: ROWS }, (_, index) => `${index};${quoted(textOf(index))}\r\n`);
    const batch = await run(`\uFEFFid;the text\r\n${rows.join('')}`, 'rows.csv', {
      custom_id: 'no-{{id}}',
      body: { model: 'gpt-5.4', messages: [{ role: 'user', content: 'Translate: {{the text}}' }] },
    });
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: ROWS, completed: ROWS, failed: 0 } });
    const results = await table(batch.id, '&raw=true');
    expect(
      results.map(({ id, 'the text': text, custom_id: customId, status, answer, error, lane }) => ({
        id,
        text,
        customId,
        status,
        answer,
        error,
        lane,
      })),
    ).toEqual(
      Array.from({ length: ROWS }, (_, index) => ({
        id: String(index),
        text: textOf(index),
        customId: `no-${index}`,
        status: '200',
        answer: `echo: Translate: ${textOf(index)}`,
        error: '',
        lane: 'first',
      })),
    );
    expect(results.every(({ model, prompt_tokens: tokens }) => model !== '' && Number(tokens) > 0)).toBe(true);
    expect((await table(batch.id))[5]).toMatchObject({ id: '5', 'the text': "'=1+15", custom_id: 'no-5' });
  });

  it('takes plain JSON lines as well, with values of their types', async () => {
    const lines = [
      { user: { name: 'Ann' }, roles: [{ role: 'user', content: 'hello' }] },
      { user: { name: 'Bob' }, roles: [{ role: 'user', content: 'good morning' }] },
    ];
    const batch = await run(lines.map((line) => JSON.stringify(line)).join('\n'), 'rows.jsonl', {
      custom_id: '{{user.name}}',
      body: { model: 'gpt-5.4', messages: '{{roles}}' },
    });
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: 2, completed: 2 } });
    expect((await table(batch.id)).map(({ custom_id: id, answer }) => [id, answer])).toEqual([
      ['Ann', 'echo: hello'],
      ['Bob', 'echo: good morning'],
    ]);
  });

  it('makes requests of every kind that a batch takes', async () => {
    const rows = 'id,text\n1,hello\n2,good morning\n';
    const responses = await run(rows, 'rows.csv', { body: { model: 'gpt-5.4', input: '{{text}}' } }, '/v1/responses');
    expect((await table(responses.id)).map(({ id, custom_id: name, answer }) => [id, name, answer])).toEqual([
      ['1', 'row-1', 'echo: hello'],
      ['2', 'row-2', 'echo: good morning'],
    ]);
    const body = { model: 'text-embedding-3-small', input: '{{text}}', encoding_format: 'float', dimensions: 16 };
    const embeddings = await run(rows, 'rows.csv', { body }, '/v1/embeddings');
    const vectors = (await table(embeddings.id)).map(({ answer }) => JSON.parse(answer ?? '') as unknown[]);
    expect(vectors.map((vector) => vector.filter((number) => typeof number === 'number').length)).toEqual([16, 16]);
  });

  it('fails with the lines that are wrong', async () => {
    const batch = await run('id,text\n"1\n",x\n2\n', 'rows.csv', { body: { model: 'gpt-5.4', messages: '{{text}}' } });
    expect(batch).toMatchObject({
      status: 'failed',
      errors: { data: [{ code: 'invalid_csv', line: 4, param: null }] },
    });
  });
});
