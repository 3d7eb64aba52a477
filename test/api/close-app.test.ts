import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeApp, countRequests } from '../../api/close-app.ts';
import { createUnderWay, type UnderWay } from '../../api/under-way.ts';

/** Long enough for whoever must not be cut, and short for those who must. */
const LONG_MS = 60_000;
const SHORT_MS = 200;

let app: FastifyInstance;
let underWay: UnderWay;
let answers: () => number;
let url: string;
let notes: string[];

beforeEach(async () => {
  notes = [];
  underWay = createUnderWay();
  app = fastify({ forceCloseConnections: 'idle' });
  answers = countRequests(app, underWay);
  app.get('/soon', async () => {
    notes.push('asked');
    await sleep(300);
    return 'here';
  });
  // As a request that waits for its provider: it goes on until its caller is gone, and has something to write down then.
  const whenGone = async (reply: FastifyReply): Promise<void> => {
    notes.push('asked');
    await once(reply.raw, 'close');
    await sleep(100);
    notes.push('written');
  };
  app.get('/never', async (_request, reply) => {
    await whenGone(reply);
    return reply.hijack();
  });
  app.get('/stream', async (_request, reply) => {
    reply.hijack();
    reply.raw.write('a part');
    await whenGone(reply);
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => app.close());

describe('a server that closes', () => {
  it('finishes what is under way', async () => {
    const answer = fetch(`${url}/soon`).then((response) => response.text());
    await expect.poll(() => notes).toEqual(['asked']);
    await closeApp(app, answers, LONG_MS);
    expect(await answer).toBe('here');
    await underWay.settled();
  });

  it.each(['/never', '/stream'])('cuts what is not over within its limit, and can be waited for: %s', async (path) => {
    const answer = fetch(`${url}${path}`)
      .then((response) => response.text())
      .catch(() => 'cut');
    await expect.poll(() => notes).toEqual(['asked']);
    await closeApp(app, answers, SHORT_MS);
    expect(await answer).toBe('cut');
    await underWay.settled();
    expect(notes).toEqual(['asked', 'written']);
    expect(answers()).toBe(0);
  });

  it('waits for no caller who left before the request was counted', async () => {
    const leave = new AbortController();
    const guarded = fastify({ forceCloseConnections: 'idle' });
    // As the look-up of a key, which comes first.
    guarded.addHook('onRequest', async (_request, reply) => {
      leave.abort();
      await once(reply.raw, 'close');
    });
    const left = countRequests(guarded, underWay);
    guarded.get('/', async () => {
      notes.push('asked');
      return 'here';
    });
    try {
      const address = await guarded.listen({ host: '127.0.0.1', port: 0 });
      await expect(fetch(address, { signal: leave.signal })).rejects.toThrow('aborted');
      await expect.poll(() => notes).toEqual(['asked']);
      expect(left()).toBe(0);
    } finally {
      await guarded.close();
    }
  });
});
