import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createUsageOfCutAnswers } from '../../../lanes/codex/usage-of-cut-answers.ts';
import type { TurnError, TurnEvent } from '../../../lanes/codex/turn-events.ts';
import { answerOf, collector, says, signIn, startAccount, type SignedInAccount } from './signed-in-account.ts';

describe('an answer that the model is stopped in', () => {
  let under: SignedInAccount;

  beforeAll(async () => {
    under = await startAccount();
    await under.account.start();
    await signIn(under);
  });
  afterAll(() => under.close());

  it.each(['websocket', 'sse'] as const)('has its usage over %s, streamed as well', async (transport) => {
    under.backend.script('main', { transport });
    const prompt = says('[[length]] [[reasoning:5]] [[cached:3]] hello');
    const { chunks, call } = collector();
    const whole = await under.complete(prompt);
    const streamed = await under.complete({ ...prompt, stream_options: { include_usage: true } }, call);
    expect(whole).toMatchObject({ ok: true, usage: { cachedPromptTokens: 3, reasoningTokens: 5 } });
    expect(answerOf(whole).choices[0]?.finish_reason).toBe('length');
    const usage = answerOf(whole).usage;
    expect(usage?.prompt_tokens).toBeGreaterThan(3);
    expect(usage?.completion_tokens).toBeGreaterThan(5);
    expect(answerOf(streamed).usage).toEqual(usage);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage });
  });
});

describe('createUsageOfCutAnswers', () => {
  const counts = { inputTokens: 9, cachedInputTokens: 2, outputTokens: 4, reasoningOutputTokens: 1 };
  const told = { method: 'thread/tokenUsage/updated', params: { tokenUsage: { total: counts } } };
  const other = { method: 'other', params: {} };
  const end = (text: string | null): TurnEvent => {
    const error: TurnError | null = text === null ? null : { name: 'other', text };
    return { type: 'turn_done', status: 'failed', error };
  };
  const cut = end('Incomplete response returned, reason: max_output_tokens');
  const call: TurnEvent = { type: 'tool_call', callId: 'c', name: 'f', arguments: '{}' };
  const done: TurnEvent = { type: 'response_done', usage: null };
  const usage = { promptTokens: 9, cachedPromptTokens: 2, completionTokens: 4, reasoningTokens: 1 };

  it('puts the usage of the thread before the end of a cut answer', () => {
    const take = createUsageOfCutAnswers();
    expect(take(told, undefined)).toEqual([]);
    expect(take(other, cut)).toEqual([{ type: 'response_done', usage }, cut]);
  });

  it.each([
    ['an answer that is whole', [done], end(null)],
    ['a cut answer that has said its own', [done], cut],
    ['a cut answer with a function call', [call], cut],
    ['a failure', [], end('something else')],
  ])('adds nothing to %s', (_, before, last) => {
    const take = createUsageOfCutAnswers();
    take(told, undefined);
    for (const event of before) expect(take(other, event)).toEqual([event]);
    expect(take(other, last)).toEqual([last]);
  });

  it('adds nothing where the CLI has said nothing, or something else', () => {
    const take = createUsageOfCutAnswers();
    expect(take({ ...told, params: {} }, undefined)).toEqual([]);
    expect(take(other, cut)).toEqual([cut]);
    expect(createUsageOfCutAnswers()(other, cut)).toEqual([cut]);
  });
});
