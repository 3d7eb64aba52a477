import { toFile, type OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isOver, resultLines, startBatch, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { createWire, type WireAnswer, type WireCall } from '../support/wire-call.ts';

/** Files and batches to the letter: every field, every code of the validation, every way in which a batch ends. */
const MODEL = 'gpt-5.4-mini';
const OTHER_MODEL = 'gpt-5.5';
const EMBEDDINGS = 'text-embedding-3-small';
const CHAT = '/v1/chat/completions';

let gateway: Gateway;
let client: OpenAI;
let call: (call: WireCall) => Promise<WireAnswer>;

beforeAll(async () => {
  gateway = await startGateway();
  const { admin, openai } = gateway;
  await admin.addKeyLane({
    alias: 'meter',
    baseUrl: openai.url,
    apiKey: openai.key,
    models: [MODEL, OTHER_MODEL, EMBEDDINGS],
    concurrency: 16,
  });
  client = gateway.client();
  call = createWire(gateway.url, gateway.adminKey);
});
afterAll(() => gateway.stop());

const line = (customId: string, more: object = {}, body: object = {}, url = CHAT): string =>
  JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url,
    body: { model: MODEL, messages: [{ role: 'user', content: `hello id=${customId}` }], ...body },
    ...more,
  });
const upload = async (content: string, name = 'lines.jsonl') =>
  client.files.create({ file: await toFile(Buffer.from(content), name), purpose: 'batch' });
const create = (fileId: string, more: object = {}) =>
  client.batches.create({ input_file_id: fileId, endpoint: CHAT, completion_window: '24h', ...more });
const over = (id: string): Promise<OpenAI.Batch> => waitForBatch(client, id, isOver, 60_000);
const raw = async (id: string): Promise<Record<string, unknown>> =>
  (await call({ path: `/v1/batches/${id}` })).json as Record<string, unknown>;

interface OutputLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string;
    readonly body: Record<string, unknown>;
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}
const outputOf = async (fileId: unknown): Promise<OutputLine[]> =>
  (await resultLines(client, fileId as string | null)).map((text) => JSON.parse(text) as OutputLine);

const UNSET = {
  errors: null,
  output_file_id: null,
  error_file_id: null,
  in_progress_at: null,
  finalizing_at: null,
  completed_at: null,
  failed_at: null,
  expired_at: null,
  cancelling_at: null,
  cancelled_at: null,
};
const NO_TOKENS = {
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
};
const seconds = expect.any(Number) as number;

describe('a batch', () => {
  it('has every field from its begin, and its times and usage at its end', async () => {
    const text = `\uFEFF${line('ü-1')}\r\n${line('two')}\r\n\r\n`;
    const file = await upload(text);
    const asked = { completion_window: '48h', metadata: { team: 'wire' } };
    const answer = await call({ path: '/v1/batches', body: { input_file_id: file.id, endpoint: CHAT, ...asked } });
    const begun = answer.json as Record<string, unknown>;
    expect(answer.status).toBe(200);
    expect(begun).toEqual({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/) as string,
      object: 'batch',
      endpoint: CHAT,
      model: null,
      input_file_id: file.id,
      status: 'validating',
      created_at: seconds,
      expires_at: Number(begun['created_at']) + 48 * 3600,
      request_counts: { total: 0, completed: 0, failed: 0 },
      usage: NO_TOKENS,
      ...UNSET,
      ...asked,
    });
    await over(String(begun['id']));
    const ended = await raw(String(begun['id']));
    expect(ended).toEqual({
      ...begun,
      model: MODEL,
      status: 'completed',
      output_file_id: expect.stringMatching(/^file-/) as string,
      in_progress_at: seconds,
      finalizing_at: seconds,
      completed_at: seconds,
      request_counts: { total: 2, completed: 2, failed: 0 },
      usage: { ...NO_TOKENS, input_tokens: seconds, output_tokens: seconds, total_tokens: seconds },
    });
    const { input_tokens, output_tokens, total_tokens } = ended['usage'] as Record<string, number>;
    expect(input_tokens).toBeGreaterThan(0);
    expect(total_tokens).toBe((input_tokens ?? 0) + (output_tokens ?? 0));
    const lines = await outputOf(ended['output_file_id']);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(['ü-1', 'two']);
    for (const one of lines) {
      expect(Object.keys(one)).toEqual(['id', 'custom_id', 'response', 'error']);
      expect(one.id).toMatch(/^batch_req_[0-9a-f]{32}$/);
      expect(one.error).toBeNull();
      expect(Object.keys(one.response ?? {})).toEqual(['status_code', 'request_id', 'body']);
      expect(one.response).toMatchObject({ status_code: 200, body: { object: 'chat.completion', model: MODEL } });
      expect(one.response?.request_id).toMatch(/\S/);
    }
    const output = await client.files.retrieve(String(ended['output_file_id']));
    expect(output).toMatchObject({ purpose: 'batch_output', expires_at: output.created_at + 30 * 24 * 3600 });
  });

  it.each([
    ['/v1/responses', { model: MODEL, input: 'hello' }, 'response'],
    ['/v1/embeddings', { model: EMBEDDINGS, input: ['a', 'b'] }, 'list'],
  ] as const)('of %s adds the usage up in the same words', async (endpoint, body, object) => {
    const lines = ['a', 'b'].map((id) => JSON.stringify({ custom_id: id, method: 'POST', url: endpoint, body }));
    const batch = await over((await startBatch(client, lines, { endpoint })).id);
    const results = await outputOf(batch.output_file_id);
    expect(results.map(({ response }) => response?.body['object'])).toEqual([object, object]);
    const sum = (names: readonly string[]): number =>
      results.reduce((total, { response }) => {
        const usage = response?.body['usage'] as Record<string, number>;
        return total + names.reduce((some, name) => some + (usage[name] ?? 0), 0);
      }, 0);
    expect(batch.usage).toEqual({
      ...NO_TOKENS,
      input_tokens: sum(object === 'list' ? ['prompt_tokens'] : ['input_tokens']),
      output_tokens: sum(object === 'list' ? [] : ['output_tokens']),
      total_tokens: sum(['total_tokens']),
    });
    expect(batch.usage?.total_tokens).toBeGreaterThan(0);
  });

  it('takes several models, and then names none', async () => {
    const lines = [line('a'), line('b', {}, { model: OTHER_MODEL })];
    const batch = await over((await startBatch(client, lines)).id);
    expect(batch).toMatchObject({ status: 'completed', model: null, request_counts: { completed: 2 } });
    const models = (await outputOf(batch.output_file_id)).map(({ response }) => response?.body['model']);
    expect(models).toEqual([MODEL, OTHER_MODEL]);
  });

  it('of which every line failed is completed, without an output file', async () => {
    const lines = ['a', 'b'].map((id) =>
      line(id, {}, { messages: [{ role: 'user', content: `[[context]] id=${id}` }] }),
    );
    const { id } = await startBatch(client, lines, { metadata: null });
    await over(id);
    const batch = await raw(id);
    expect(batch).toMatchObject({
      status: 'completed',
      errors: null,
      metadata: null,
      output_file_id: null,
      failed_at: null,
      request_counts: { total: 2, completed: 0, failed: 2 },
    });
    for (const { response, error } of await outputOf(batch['error_file_id'])) {
      expect(error).toBeNull();
      expect(response).toMatchObject({ status_code: 400, body: { error: { code: 'context_length_exceeded' } } });
    }
  });

  it('gives its files the life that was asked for', async () => {
    const file = await upload(`${line('a')}\n`);
    const { id } = await create(file.id, { output_expires_after: { anchor: 'created_at', seconds: 7200 } });
    const batch = await over(id);
    const output = await client.files.retrieve(batch.output_file_id ?? '');
    expect(output.expires_at).toBe(output.created_at + 7200);
  });
});

const INVALID: readonly [string, number | null, string, string | null, RegExp][] = [
  [line('id-a'), null, '', null, /^/],
  ['no json', 2, 'invalid_json_line', null, /^This line is not parseable as valid JSON\.$/],
  ['[1]', 3, 'invalid_json_line', null, /^This line is not parseable as valid JSON\.$/],
  ['', 4, 'invalid_json_line', null, /^This line is not parseable as valid JSON\.$/],
  [
    line('x', { custom_id: undefined }),
    5,
    'missing_required_parameter',
    'custom_id',
    /^Missing required parameter: 'custom_id'\.$/,
  ],
  [line(''), 6, 'missing_required_parameter', 'custom_id', /^Missing/],
  [line('m', { method: undefined }), 7, 'missing_required_parameter', 'method', /'method'/],
  [line('u', { url: undefined }), 8, 'missing_required_parameter', 'url', /'url'/],
  [line('b', { body: undefined }), 9, 'missing_required_parameter', 'body', /'body'/],
  [line('g', { method: 'GET' }), 10, 'invalid_method', 'method', /^Only POST is supported\.$/],
  [
    line('e', { url: '/v1/embeddings' }),
    11,
    'invalid_url',
    'url',
    /^The URL provided for this request does not match the batch endpoint\.$/,
  ],
  [
    line('n', {}, { model: 'nobody-has-it' }),
    12,
    'model_not_found',
    'body.model',
    /^The provided model 'nobody-has-it' is not supported by the Batch API\.$/,
  ],
  [line('o', {}, { model: undefined }), 13, 'invalid_request', 'body.model', /^Model parameter is required\.$/],
  [
    line('p', {}, { messages: undefined }),
    14,
    'invalid_request',
    'body.messages',
    /^Messages parameter is required\.$/,
  ],
  [
    line('s', {}, { stream: true }),
    15,
    'streaming_unsupported',
    'body.stream',
    /^Chat Completions: Streaming is not supported in the Batch API\.$/,
  ],
  [line('id-a'), 16, 'duplicate_custom_id', 'custom_id', /id-a/],
];

describe('a refused input', () => {
  it('fails the batch with every bad line, its code, its parameter and its number, and runs nothing', async () => {
    gateway.openai.reset();
    const { id } = await startBatch(
      client,
      INVALID.map(([text]) => text),
    );
    await over(id);
    const batch = await raw(id);
    expect(batch).toMatchObject({
      ...UNSET,
      status: 'failed',
      failed_at: seconds,
      request_counts: { total: 0, completed: 0, failed: 0 },
      errors: { object: 'list' },
    });
    const { data } = batch['errors'] as { data: Record<string, unknown>[] };
    expect(data).toEqual(
      INVALID.slice(1).map(([, number, code, param, message]) => ({
        code,
        param,
        line: number,
        message: expect.stringMatching(message) as string,
      })),
    );
    expect(gateway.openai.counts().calls).toBe(0);
  });

  it('lists a thousand bad lines at most', async () => {
    const lines = [line('fine'), ...Array.from({ length: 1_100 }, () => '{')];
    const batch = await over((await startBatch(client, lines)).id);
    expect(batch.errors?.data).toHaveLength(1_000);
    expect(batch.errors?.data?.at(-1)).toMatchObject({ line: 1_001, code: 'invalid_json_line' });
  });

  it('that nobody knows fails the batch, and not the call', async () => {
    const begun = await create('file-none');
    expect(begun.status).toBe('validating');
    const batch = await over(begun.id);
    expect(batch.errors?.data).toEqual([
      {
        code: 'invalid_request',
        param: 'file_id',
        line: null,
        message: expect.stringMatching(
          /^Cannot find file file-none, or organization .* have access to it\.$/,
        ) as string,
      },
    ]);
  });
});
