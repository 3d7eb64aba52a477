import { describe, expect, it } from 'vitest';
import { attemptLane, recordOf, type LaneTry } from '../../../lanes/policy/attempt-lane.ts';
import type { HostedLane } from '../../../lanes/policy/hosted-lane.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { plantLane } from '../../support/planted.ts';

const clock = createMovableClock();

/** A lane that must not be called, and hears nothing of what is played. */
function setUp(given: Partial<LaneTry> = {}) {
  const chunks: string[] = [];
  const events: string[] = [];
  const hosted: HostedLane = {
    lane: { complete: () => Promise.reject(new Error('the lane was called')) },
    availability: () => ({ open: true }),
    acquire: async () => () => void events.push('released'),
    reportFailure: async () => void events.push('reported'),
    reportAnswer: async () => void events.push('answered'),
  };
  const call: LaneTry = {
    itemId: 'req_1',
    body: {},
    lane: plantLane('a', { model: 'gpt' }),
    attempt: 1,
    priority: 'interactive',
    deadlineAt: clock.now() + 1_000,
    stream: false,
    drill: 'usage_limit',
    onChunk: async (json) => void chunks.push(json),
    ...given,
  };
  const run = () => attemptLane({ find: () => hosted }, clock, call, new AbortController().signal);
  return { run, call, chunks, events };
}

describe('a drill', () => {
  it('calls nobody, gives its slot back and reports nothing to the lane', async () => {
    const { run, call, events, chunks } = setUp();
    const outcome = await run();
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'window_exhausted', reason: 'drill: usage_limit' } });
    expect(events).toEqual(['released']);
    expect(chunks).toEqual([]);
    expect(recordOf(call, outcome, 1, 3)).toMatchObject({
      outcome: 'window_exhausted',
      drill: true,
      reachedUpstream: false,
      reason: 'drill: usage_limit',
      durationMs: 2,
    });
  });

  it.each(['chat', 'responses'] as const)('breaks a stream of %s behind its first chunk', async (operation) => {
    const { run, chunks } = setUp({ operation, stream: true, drill: 'broken_stream' });
    expect(await run()).toMatchObject({ ok: false, failure: { class: 'broken', answerStarted: true } });
    expect(chunks.map((json) => JSON.parse(json) as unknown)).toMatchObject([
      operation === 'chat'
        ? { object: 'chat.completion.chunk', model: 'gpt', choices: [{ delta: { role: 'assistant' } }] }
        : { type: 'response.created', response: { object: 'response', status: 'in_progress', model: 'gpt' } },
    ]);
  });

  it('leaves other attempts without a mark', () => {
    const { call } = setUp();
    const { drill: _, ...usual } = call;
    const failure = { class: 'broken', answerStarted: false, reachedUpstream: true, reason: 'x' } as const;
    expect(recordOf(usual, { ok: false, failure }, 1, 2)).not.toHaveProperty('drill');
  });
});
