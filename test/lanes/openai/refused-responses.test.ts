import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import type { AttemptFailure } from '../../../core/contracts/failure.ts';
import type { LaneOutcome } from '../../../core/lane-port.ts';
import { createLogger } from '../../../core/log.ts';
import { createKeyLane, type KeyLane } from '../../../lanes/openai/key-lane.ts';
import { laneEffect, NO_FAILURES, type LaneEffect } from '../../../lanes/policy/lane-effect.ts';
import { chargeOf } from '../../../lanes/prices/charge.ts';
import { events, json, startProvider, type Answer, type ProviderServer } from './provider-server.ts';

const error = { code: 'invalid_prompt', message: 'Invalid prompt.' };
const failed = { object: 'response', status: 'failed', error, output: [], usage: null };
const created = { type: 'response.created', response: { ...failed, status: 'in_progress', error: null } };
const delta = { type: 'response.output_text.delta', delta: 'x' };
const asEvent = (response: object = failed) => ({ type: 'response.failed', response });

let provider: ProviderServer;
let lane: KeyLane;
beforeEach(async () => {
  provider = await startProvider();
  lane = createKeyLane({
    laneId: 'lane1',
    alias: 'openai',
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

type Failed = Extract<LaneOutcome, { ok: false }>;

async function ask(answer: Answer, stream: boolean): Promise<Failed> {
  provider.answerWith(answer);
  const outcome = await lane.complete({
    requestId: 'req_1',
    operation: 'responses',
    body: { model: 'm', input: 'hi' },
    model: 'm',
    stream,
    deadlineAt: Date.now() + 30_000,
    signal: new AbortController().signal,
    onChunk: async () => undefined,
  });
  if (outcome.ok) throw new Error('The lane answered.');
  return outcome;
}

/** What so many of one failure do to a lane. */
function afterMany(failure: AttemptFailure, times: number): LaneEffect {
  let effect: LaneEffect = { memory: NO_FAILURES };
  for (let time = 0; time < times; time += 1) effect = laneEffect('key', failure, effect.memory, 1_000 + time, 0.5);
  return effect;
}

describe('a prompt that is refused inside a 200', () => {
  it.each<[string, boolean, Answer]>([
    ['as a whole response', false, json(200, failed)],
    ['in a stream', true, events([created, asEvent()])],
    ['in a stream, as an error of its own', true, events([created, { type: 'error', ...error, param: null }])],
    ['in a stream, as an error within an event', true, events([created, { type: 'error', error }])],
    ['as a whole response where a stream was asked for', true, json(200, failed)],
  ])('is the caller’s fault %s, costs nothing, and never closes the lane', async (_, stream, answer) => {
    const outcome = await ask(answer, stream);
    expect(outcome.failure).toMatchObject({ class: 'caller_fault', answerStarted: false, reachedUpstream: true });
    expect(outcome.callerAnswer?.status).toBe(400);
    expect(JSON.parse(outcome.callerAnswer?.body ?? '')).toMatchObject({ error });
    expect(chargeOf(outcome, 100, null)).toBe(0);
    expect(afterMany(outcome.failure, 10).change).toBeUndefined();
  });

  it.each<[string, boolean, Answer]>([
    ['with tokens that were counted', false, json(200, { ...failed, usage: { input_tokens: 9, output_tokens: 3 } })],
    ['with output', false, json(200, { ...failed, output: [{ type: 'reasoning' }] })],
    ['behind content', true, events([created, delta, asEvent()])],
    ['behind content, in the last event', true, events([created, delta, { ...asEvent(), type: 'response.completed' }])],
  ])('may have cost all that was held when it comes %s', async (_, stream, answer) => {
    const outcome = await ask(answer, stream);
    expect(outcome.failure).toMatchObject({ class: 'caller_fault', mayBeBilled: true });
    expect(chargeOf(outcome, 100, null)).toBe(100);
  });
});

it('what fails inside a 200 for the provider’s own part counts against the lane', async () => {
  const { failure } = await ask(json(200, { ...failed, error: { code: 'server_error', message: 'm' } }), false);
  expect(failure.class).toBe('broken');
  expect(afterMany(failure, 5).change).toMatchObject({ to: 'unhealthy' });
});

it('a rate limit inside a stream is one, and not a broken answer', async () => {
  const limited = { ...failed, error: { code: 'rate_limit_exceeded', message: 'm' } };
  expect((await ask(events([created, asEvent(limited)]), true)).failure.class).toBe('rate_limited');
});
