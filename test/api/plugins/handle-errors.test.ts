import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../api/create-app.ts';
import { retryHeaders } from '../../../api/plugins/handle-errors.ts';
import { ApiError } from '../../../core/errors.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import type { KeyStore } from '../../../store/keys.ts';
import { keptLog } from '../../support/planted.ts';

const SECRET = 'mongodb://user:password@host';
const KEYS = { findActive: async () => null } as unknown as KeyStore;

let app: ReturnType<typeof createApp>;
let lines: string[];
beforeEach(() => {
  const kept = keptLog();
  ({ lines } = kept);
  app = createApp({ keys: KEYS, secretBox: createSecretBox(newMasterKey()), log: kept.log, defaultAccess: 'public' });
  app.post('/echo', { bodyLimit: 200 }, async (request) => ({ got: request.body ?? null }));
  app.get('/named/:id', async () => 'ok');
  app.get('/broken', async () => {
    throw new Error(`can't reach ${SECRET}`);
  });
  app.get('/odd', async () => {
    throw Object.assign(new Error(SECRET), { statusCode: 418 });
  });
  app.get('/known', async () => {
    throw new ApiError('usage_limit_reached', 'Out.', { retryAfterMs: 1_500, resetsAtMs: 1_700_000_000_000 });
  });
});
afterEach(() => app.close());

const json = { 'content-type': 'application/json' };
const post = (payload: string | Buffer, headers: Record<string, string> = json) =>
  app.inject({ method: 'POST', url: '/echo', payload, headers });

const REFUSED: readonly [
  title: string,
  ask: () => ReturnType<typeof post>,
  status: number,
  type: string,
  code: string | null,
][] = [
  ['JSON that does not parse', () => post('{"a":'), 400, 'invalid_request_error', null],
  ['bytes that are no UTF-8', () => post(Buffer.from([0x22, 0xff, 0x22])), 400, 'invalid_request_error', null],
  ['too deep a body', () => post('['.repeat(90) + ']'.repeat(90)), 400, 'invalid_request_error', null],
  ['a key that is not allowed', () => post('{"__proto__":{}}'), 400, 'invalid_request_error', null],
  [
    'a body above the limit of its route',
    () => post(`"${'x'.repeat(300)}"`),
    413,
    'invalid_request_error',
    'request_too_large',
  ],
  [
    'another content type',
    () => post('a=1', { 'content-type': 'text/plain' }),
    415,
    'invalid_request_error',
    'unsupported_media_type',
  ],
  [
    'a content type that only begins so',
    () => post('{}', { 'content-type': 'application/jsonp' }),
    415,
    'invalid_request_error',
    'unsupported_media_type',
  ],
  ['no content type', () => post('{}', {}), 415, 'invalid_request_error', 'unsupported_media_type'],
  ['an unknown path', () => app.inject({ url: '/nothing?secret=1' }), 404, 'invalid_request_error', null],
  ['a URL that can’t be decoded', () => app.inject({ url: '/named/%E0%A4%A' }), 400, 'invalid_request_error', null],
  ['too long an id', () => app.inject({ url: `/named/${'x'.repeat(501)}` }), 404, 'invalid_request_error', null],
  ['a bug of ours', () => app.inject({ url: '/broken' }), 500, 'server_error', null],
  ['an odd status of a library', () => app.inject({ url: '/odd' }), 400, 'invalid_request_error', null],
];

describe('a request with', () => {
  it.each(REFUSED)('%s is answered in OpenAI’s shape', async (_, ask, status, type, code) => {
    const response = await ask();
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.headers['x-request-id']).toMatch(/^req_[0-9a-f]{32}$/);
    expect(response.json()).toEqual({
      error: { message: expect.any(String) as string, type, param: null, code },
    });
    expect(response.body).not.toMatch(/password|secret|FST_|stack/i);
  });
});

describe('an error', () => {
  it('of ours is logged with its cause, a caller’s is not', async () => {
    await app.inject({ url: '/broken' });
    expect(lines.filter((line) => line.includes('a request failed'))).toHaveLength(1);
    await app.inject({ url: '/nothing' });
    await post('{');
    expect(lines.filter((line) => line.includes('a request failed'))).toHaveLength(1);
  });

  it('tells clients when to try again, and whether', async () => {
    const { headers, statusCode } = await app.inject({ url: '/known' });
    expect(statusCode).toBe(429);
    expect(headers).toMatchObject({ 'retry-after': '2', 'retry-after-ms': '1500', 'x-should-retry': 'false' });
    expect(retryHeaders({})).toEqual({});
  });

  it('does not stop what is fine: JSON with a charset, an empty body', async () => {
    const response = await post('{"a":1}', { 'content-type': 'application/json; charset=utf-8' });
    expect(response.json()).toEqual({ got: { a: 1 } });
    expect((await post('')).json()).toEqual({ got: null });
    expect(Number(response.headers['openai-processing-ms'])).toBeGreaterThanOrEqual(0);
  });
});
