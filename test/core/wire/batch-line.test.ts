import { describe, expect, it } from 'vitest';
import { checkBatchLine } from '../../../core/wire/batch-line.ts';
import { row } from '../../support/batch-world.ts';

const check = (line: string | Buffer) => checkBatchLine(Buffer.from(line as string), '/v1/chat/completions');

describe('checkBatchLine', () => {
  it('gives what is needed of a good line, with fields that are not known', () => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'ü' }], seed: 1 };
    expect(check(row('a', body))).toEqual({ ok: true, line: { customId: 'a', model: 'm', body, embeddingInputs: 0 } });
  });

  it.each([
    ['text that is no JSON', '{', 'invalid_json_line', null],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff]), 'invalid_json_line', null],
    ['an array', '[]', 'invalid_json_line', null],
    ['a number', '42', 'invalid_json_line', null],
    ['null', 'null', 'invalid_json_line', null],
    ['too deep a nesting', `{"a":${'['.repeat(80)}${']'.repeat(80)}}`, 'invalid_json_line', null],
    ['too many values', row('a', { messages: Array.from({ length: 1_000_000 }, () => 0) }), 'invalid_json_line', null],
    ['a forbidden key', row('a').replace('"messages"', '"__proto__":{},"messages"'), 'invalid_request', null],
    ['no custom_id', row('a', {}, { custom_id: undefined }), 'missing_required_parameter', 'custom_id'],
    ['an empty custom_id', row(''), 'missing_required_parameter', 'custom_id'],
    ['a custom_id that is a number', row('a', {}, { custom_id: 1 }), 'invalid_type', 'custom_id'],
    ['a custom_id without end', row('a'.repeat(5000)), 'invalid_request', 'custom_id'],
    ['half a surrogate pair', row('\ud800'), 'invalid_request', 'custom_id'],
    ['no method', row('a', {}, { method: undefined }), 'missing_required_parameter', 'method'],
    ['no url', row('a', {}, { url: null }), 'missing_required_parameter', 'url'],
    ['no body', row('a', {}, { body: undefined }), 'missing_required_parameter', 'body'],
    ['another method', row('a', {}, { method: 'GET' }), 'invalid_method', 'method'],
    ['the method in lower case', row('a', {}, { method: 'post' }), 'invalid_method', 'method'],
    ['another url', row('a', {}, { url: '/v1/embeddings' }), 'invalid_url', 'url'],
    ['a body that is a text', row('a', {}, { body: 'x' }), 'invalid_type', 'body'],
    ['no model', row('a', { model: undefined }), 'invalid_request', 'body.model'],
    ['a model of endless name', row('a', { model: 'm'.repeat(201) }), 'invalid_request', 'body.model'],
    ['no messages', row('a', { messages: undefined }), 'invalid_request', 'body.messages'],
    ['streaming', row('a', { stream: true }), 'streaming_unsupported', 'body.stream'],
  ])('refuses %s', (_what, line, code, param) => {
    expect(check(line)).toMatchObject({ ok: false, problem: { code, param } });
  });

  it('uses the words of OpenAI', () => {
    expect(check('{')).toMatchObject({ problem: { message: 'This line is not parseable as valid JSON.' } });
    expect(check(row('a', {}, { url: undefined }))).toMatchObject({
      problem: { message: "Missing required parameter: 'url'." },
    });
    expect(check(row('a', {}, { method: 'PUT' }))).toMatchObject({ problem: { message: 'Only POST is supported.' } });
    expect(check(row('a', { model: null }))).toMatchObject({ problem: { message: 'Model parameter is required.' } });
  });

  it.each([
    ['/v1/responses', { model: 'm' }, 'invalid_request', 'body.input', 'Input parameter is required.'],
    ['/v1/responses', { model: 'm', input: 'a', stream: true }, 'streaming_unsupported', 'body.stream', 'Responses:'],
    [
      '/v1/responses',
      { model: 'm', input: 'a', previous_response_id: 'r' },
      'unsupported_parameter',
      'body.previous_response_id',
      '',
    ],
    ['/v1/responses', { model: 'm', input: 'a', background: true }, 'unsupported_parameter', 'body.background', ''],
    [
      '/v1/responses',
      { model: 'm', input: [{ type: 'item_reference', id: 'i' }] },
      'unsupported_parameter',
      'body.input[0]',
      '',
    ],
    ['/v1/embeddings', { input: 'a' }, 'invalid_request', 'body.model', 'Model parameter is required.'],
    ['/v1/embeddings', { model: 'm' }, 'invalid_request', 'body.input', 'Input parameter is required.'],
    ['/v1/embeddings', { model: 'm', input: 'a', stream: true }, 'streaming_unsupported', 'body.stream', 'Embeddings:'],
  ])('refuses for %s the body %j', (url, body, code, param, words) => {
    const line = JSON.stringify({ custom_id: 'a', method: 'POST', url, body });
    const checked = checkBatchLine(Buffer.from(line), url);
    expect(checked).toMatchObject({ ok: false, problem: { code, param } });
    expect(checked.ok ? '' : checked.problem.message).toContain(words);
  });

  it.each([
    ['one text', 'a', 1],
    ['several texts', ['a', 'b', 'c'], 3],
    ['the tokens of one text', [1, 2, 3], 1],
    ['the tokens of several', [[1], [2, 3]], 2],
  ])('counts the embeddings of %s', (_what, input, embeddingInputs) => {
    const line = { custom_id: 'a', method: 'POST', url: '/v1/embeddings', body: { model: 'm', input } };
    const checked = checkBatchLine(Buffer.from(JSON.stringify(line)), '/v1/embeddings');
    expect(checked).toMatchObject({ ok: true, line: { embeddingInputs } });
  });

  it('takes stream: false', () => {
    expect(check(row('a', { stream: false })).ok).toBe(true);
  });
});
