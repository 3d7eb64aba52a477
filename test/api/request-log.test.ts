import { Readable } from 'node:stream';
import { fastify, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RequestLog } from '../../api/request-log.ts';
import { PATIENT } from '../support/patience.ts';
import { keptLog } from '../support/planted.ts';

let app: FastifyInstance;
let url: string;
let lines: string[];
let body: Readable;

async function* onePiece(then: () => Promise<void>): AsyncGenerator<string, void, undefined> {
  yield 'a piece of it';
  await then();
}

beforeEach(async () => {
  const kept = keptLog();
  ({ lines } = kept);
  const base: FastifyBaseLogger = kept.log;
  app = fastify({ loggerInstance: base, logController: new RequestLog(), forceCloseConnections: true });
  app.get('/content', async (_, reply) => reply.header('content-type', 'text/plain').send(body));
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  lines.length = 0;
});
afterEach(() => app.close());

it('says why an answer was cut off behind its headers, and of what request', async () => {
  body = Readable.from(onePiece(() => Promise.reject(new Error('A piece is gone.'))));
  const answer = await fetch(`${url}/content?secret=1`);
  await expect(answer.text()).rejects.toThrow('terminated');
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 50, err: { message: 'A piece is gone.' }, method: 'GET', url: '/content', msg: 'an answer was cut off' },
  ]);
});

it('says nothing of answers that are read to their end, or whose reader goes away', async () => {
  body = Readable.from(onePiece(() => Promise.resolve()));
  expect(await (await fetch(`${url}/content`)).text()).toBe('a piece of it');

  const goesAway = new AbortController();
  body = new Readable({ read: () => undefined });
  body.push('a piece of it');
  await fetch(`${url}/content`, { signal: goesAway.signal });
  goesAway.abort();
  await vi.waitFor(() => expect(body.closed).toBe(true), PATIENT);
  expect(lines).toEqual([]);
});
