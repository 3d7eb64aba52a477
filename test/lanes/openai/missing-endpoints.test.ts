import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { LaneOutcome, Operation } from '../../../core/lane-port.ts';
import { createLogger } from '../../../core/log.ts';
import { createKeyLane, type KeyLane } from '../../../lanes/openai/key-lane.ts';
import { createMissingEndpoints } from '../../../lanes/openai/missing-endpoints.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { json, startProvider, type Answer, type ProviderServer } from './provider-server.ts';

const HOUR_MS = 3_600_000;

describe('createMissingEndpoints', () => {
  it('remembers for an hour, by endpoint and model', () => {
    const clock = createMovableClock();
    const missing = createMissingEndpoints(clock);
    missing.note('responses', 'm');
    expect(missing.has('responses', 'm')).toBe(true);
    expect(missing.has('responses', 'other')).toBe(false);
    expect(missing.has('embeddings', 'm')).toBe(false);
    clock.advance(HOUR_MS - 1);
    expect(missing.has('responses', 'm')).toBe(true);
    clock.advance(1);
    expect(missing.has('responses', 'm')).toBe(false);
  });

  it('keeps the last 200', () => {
    const missing = createMissingEndpoints(createMovableClock());
    for (let index = 0; index <= 200; index += 1) missing.note('responses', `m${index}`);
    expect(missing.has('responses', 'm0')).toBe(false);
    expect(missing.has('responses', 'm1')).toBe(true);
  });
});

describe('a key lane whose provider lacks an endpoint', () => {
  let provider: ProviderServer;
  let lane: KeyLane;

  beforeEach(async () => {
    provider = await startProvider();
    lane = createKeyLane({
      laneId: 'lane1',
      alias: 'local',
      baseUrl: provider.baseUrl,
      apiKey: 'sk-test-0123456789',
      allowPrivateAddresses: true,
      clock: systemClock,
      log: createLogger('silent', 'test'),
    });
  });
  afterEach(async () => {
    await lane.close();
    await provider.close();
  });

  const ask = (operation: Operation): Promise<LaneOutcome> =>
    lane.complete({
      requestId: 'req_1',
      operation,
      body: { model: 'm', input: 'hi', messages: [{ role: 'user', content: 'hi' }] },
      model: 'm',
      stream: false,
      deadlineAt: Date.now() + 30_000,
      signal: new AbortController().signal,
      onChunk: () => Promise.reject(new Error('not a stream')),
    });
  const text =
    (status: number, body: string, type: string): Answer =>
    (response) => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };

  it.each([
    ['404 in JSON', json(404, { detail: 'Not Found' })],
    ['404 in text', text(404, '404 page not found', 'text/plain')],
    ['405', json(405, {})],
    ['501', json(501, { error: { message: 'not implemented' } })],
  ])('is asked once: %s', async (_, answer) => {
    provider.answerWith(answer);
    expect(await ask('responses')).toMatchObject({ failure: { class: 'unsupported', reachedUpstream: true } });
    expect(await ask('responses')).toMatchObject({ failure: { class: 'unsupported', reachedUpstream: false } });
    expect(provider.seen).toHaveLength(1);
  });

  it.each([
    ['a page of something in between', text(404, '<html>offline</html>', 'text/html'), 'unsupported'],
    ['a model that is not there', json(404, { error: { code: 'model_not_found' } }), 'model_unavailable'],
    ['a moment’s overload', json(503, {}), 'overloaded'],
  ])('is asked again after %s', async (_, answer, failureClass) => {
    provider.answerWith(answer);
    await ask('responses');
    expect(await ask('responses')).toMatchObject({ failure: { class: failureClass, reachedUpstream: true } });
    expect(provider.seen).toHaveLength(2);
  });

  it('goes on to serve what it has', async () => {
    provider.answerWith(json(404, {}));
    await ask('responses');
    await ask('chat');
    expect(provider.seen.map(({ url }) => url)).toEqual(['/v1/responses', '/v1/chat/completions']);
  });
});
