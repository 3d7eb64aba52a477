import { describe, expect, it } from 'vitest';
import type { ChatChunk, ChatCompletion } from '../../../core/wire/chat-answer.ts';
import { createChatWire, type ChatWireOptions } from '../../../lanes/codex/chat-wire.ts';
import { createAnswer, type Answer, type AnswerRules, type TurnEnd } from '../../../lanes/codex/translate-answer.ts';
import type { TurnEvent } from '../../../lanes/codex/turn-events.ts';

const usage = { promptTokens: 100, cachedPromptTokens: 20, completionTokens: 5, reasoningTokens: 2 };
const wireUsage = {
  prompt_tokens: 100,
  completion_tokens: 5,
  total_tokens: 105,
  prompt_tokens_details: { cached_tokens: 20 },
  completion_tokens_details: { reasoning_tokens: 2 },
};

const text = (itemId: string, delta: string): TurnEvent => ({ type: 'text', itemId, text: delta });
const message = (itemId: string, whole: string): TurnEvent => ({
  type: 'message_done',
  itemId,
  text: whole,
  phase: null,
});
const toolCall = (callId: string, name = 'f'): TurnEvent => ({
  type: 'tool_call',
  callId,
  name,
  arguments: '{"a": 1}',
});
const responseDone: TurnEvent = { type: 'response_done', usage };
const modelAsked: TurnEvent = { type: 'model_asked' };
const streamBroken: TurnEvent = { type: 'stream_broken' };
const turnDone: TurnEvent = { type: 'turn_done', status: 'completed', error: null };

function run(
  events: readonly TurnEvent[],
  options: Partial<AnswerRules & ChatWireOptions> = {},
): {
  answer: Answer<ChatCompletion>;
  chunks: ChatChunk[];
  end: TurnEnd | undefined;
} {
  const all = {
    id: 'chatcmpl-1',
    created: 1_800_000_000,
    model: 'm',
    includeUsage: false,
    toolNames: new Set(['f']),
    mustCall: false,
    parallelToolCalls: true,
    json: false,
    ...options,
  };
  const { id, created, model, includeUsage } = all;
  const answer = createAnswer(all, createChatWire({ id, created, model, includeUsage }));
  const chunks: ChatChunk[] = [];
  let end: TurnEnd | undefined;
  for (const event of events) {
    if (end !== undefined) break;
    const step = answer.take(event);
    chunks.push(...step.chunks.map((chunk) => JSON.parse(chunk) as ChatChunk));
    end = step.end;
  }
  return { answer, chunks, end };
}

const deltas = (chunks: readonly ChatChunk[]): unknown[] => chunks.map((chunk) => chunk.choices[0]?.delta);

describe('createAnswer', () => {
  it('streams the role first, then the text, then the finish reason', () => {
    const { chunks, end, answer } = run([
      text('m1', 'Hel'),
      text('m1', 'lo'),
      message('m1', 'Hello'),
      responseDone,
      turnDone,
    ]);
    expect(end).toEqual({ type: 'answered', finishReason: 'stop' });
    expect(deltas(chunks)).toEqual([{ role: 'assistant', content: '' }, { content: 'Hel' }, { content: 'lo' }, {}]);
    expect(chunks.map((chunk) => chunk.choices[0]?.finish_reason)).toEqual([null, null, null, 'stop']);
    expect(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`)).size).toBe(1);
    expect(answer.completion('stop')).toEqual({
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_800_000_000,
      model: 'm',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: wireUsage,
    });
  });

  it('sends usage last, with no choice, when it is asked for', () => {
    const { chunks } = run([text('m1', 'x'), responseDone, turnDone], { includeUsage: true });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: wireUsage });
  });

  it('adds what the deltas left out when the message is complete', () => {
    const { answer, chunks } = run([
      text('m1', 'Hel'),
      message('m1', 'Hello'),
      message('m2', 'again'),
      responseDone,
      turnDone,
    ]);
    expect(answer.completion('stop').choices[0]?.message.content).toBe('Hello\n\nagain');
    expect(deltas(chunks).slice(1, -1)).toEqual([{ content: 'Hel' }, { content: 'lo' }, { content: '\n\nagain' }]);
  });

  it('collects parallel tool calls until the response is complete, and keeps the text before them', () => {
    const { answer, chunks, end } = run([text('m1', 'let me see'), toolCall('c1'), toolCall('c2'), responseDone]);
    expect(end).toEqual({ type: 'answered', finishReason: 'tool_calls' });
    expect(deltas(chunks).slice(2)).toEqual([
      { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'f', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"a": 1}' } }] },
      { tool_calls: [{ index: 1, id: 'c2', type: 'function', function: { name: 'f', arguments: '' } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{"a": 1}' } }] },
      {},
    ]);
    expect(answer.completion('tool_calls').choices[0]?.message).toMatchObject({
      content: 'let me see',
      tool_calls: [{ id: 'c1' }, { id: 'c2' }],
    });
  });

  it('has null as content when there are tool calls only', () => {
    const { answer } = run([toolCall('c1'), responseDone]);
    expect(answer.completion('tool_calls').choices[0]?.message.content).toBeNull();
  });

  it('gives the first tool call alone to a caller who takes one at a time', () => {
    const { answer } = run([toolCall('c1'), toolCall('c2'), responseDone], { parallelToolCalls: false });
    expect(answer.completion('tool_calls').choices[0]?.message.tool_calls).toHaveLength(1);
  });

  describe('of which a call is demanded', () => {
    it('holds the text back until a call is there', () => {
      const { chunks, end } = run([text('m1', 'First '), text('m1', 'this.'), toolCall('c1'), responseDone], {
        mustCall: true,
      });
      expect(end).toEqual({ type: 'answered', finishReason: 'tool_calls' });
      expect(deltas(chunks).slice(0, 2)).toEqual([{ role: 'assistant', content: '' }, { content: 'First this.' }]);
    });

    it.each([
      ['text', [text('m1', 'No.'), message('m1', 'No.')]],
      ['nothing', []],
    ])('ends as no call, and without a chunk, when there is %s alone', (_, events) => {
      const { chunks, end } = run([...events, responseDone, turnDone], { mustCall: true });
      expect(end).toEqual({ type: 'no_call' });
      expect(chunks).toEqual([]);
    });

    it('is the broken connection’s failure where that came first', () => {
      const error = { name: 'responseStreamDisconnected', text: '' };
      const { chunks, end } = run([text('m1', 'No.'), { type: 'retrying', error }], { mustCall: true });
      expect(end).toEqual({ type: 'failed', error });
      expect(chunks).toEqual([]);
    });
  });

  it('leaves remarks out where the answer must be JSON', () => {
    const events: TurnEvent[] = [
      { type: 'message_started', itemId: 'm1', phase: 'commentary' },
      text('m1', 'I will now'),
      { type: 'message_done', itemId: 'm1', text: 'I will now', phase: 'commentary' },
      { type: 'message_started', itemId: 'm2', phase: 'final_answer' },
      text('m2', '{}'),
      turnDone,
    ];
    expect(run(events, { json: true }).answer.completion('stop').choices[0]?.message.content).toBe('{}');
    expect(run(events).answer.completion('stop').choices[0]?.message.content).toBe('I will now\n\n{}');
  });

  it.each([
    ['a function that was not offered', [toolCall('c1', 'exec_command')]],
    ['another kind of tool', [{ type: 'foreign_item', itemType: 'local_shell_call' }]],
    ['no answer at all', [responseDone, turnDone]],
    ['an interrupt that is not ours', [text('m', 'x'), { type: 'turn_done', status: 'interrupted', error: null }]],
  ] as [string, TurnEvent[]][])('takes %s as nonsense', (_, events) => {
    expect(run(events).end?.type).toBe('nonsense');
  });

  it('fails at the first retry of the CLI, which would send the same text again', () => {
    const error = { name: 'responseStreamDisconnected', text: 'Reconnecting... 1/5' };
    const { end } = run([text('m1', 'par'), { type: 'retrying', error }, text('m1', 'par')]);
    expect(end).toEqual({ type: 'failed', error });
  });

  it('fails when the answer begins anew without a word', () => {
    const begin = (itemId: string): TurnEvent => ({ type: 'message_started', itemId, phase: null });
    const { end, chunks } = run([begin('m1'), text('m1', 'par'), begin('m2'), text('m2', 'par')]);
    expect(end).toMatchObject({ type: 'failed', error: { name: 'responseStreamDisconnected' } });
    expect(deltas(chunks)).toEqual([{ role: 'assistant', content: '' }, { content: 'par' }]);
  });

  describe('whose stream breaks', () => {
    it.each([
      ['after a call', [modelAsked, toolCall('c1'), streamBroken]],
      ['before the call is heard of', [modelAsked, streamBroken, toolCall('c1')]],
      ['after text and a call', [modelAsked, text('m1', 'let me see'), toolCall('c1'), streamBroken]],
    ])('%s fails, for its calls are not all there', (_, events) => {
      const { end, chunks } = run(events);
      expect(end).toMatchObject({ type: 'failed', error: { name: 'responseStreamDisconnected' } });
      expect(JSON.stringify(chunks)).not.toContain('tool_calls');
    });

    it('before its calls goes on with what the CLI gets when it asks again', () => {
      const { end } = run([modelAsked, streamBroken, modelAsked, toolCall('c1'), responseDone]);
      expect(end).toEqual({ type: 'answered', finishReason: 'tool_calls' });
    });

    it('after a whole message fails when the CLI asks again, which would bring the message twice', () => {
      const { end } = run([modelAsked, text('m1', 'Hello'), message('m1', 'Hello'), streamBroken, modelAsked]);
      expect(end).toMatchObject({ type: 'failed', error: { name: 'responseStreamDisconnected' } });
    });

    it('without a call is left to the CLI, which says what was wrong', () => {
      const error = { name: 'other', text: 'Incomplete response returned, reason: max_output_tokens' };
      const { end } = run([
        modelAsked,
        text('m1', 'part'),
        streamBroken,
        { type: 'turn_done', status: 'failed', error },
      ]);
      expect(end).toEqual({ type: 'answered', finishReason: 'length' });
    });
  });

  it.each([
    ['max_output_tokens', 'length', 'turn_done'],
    ['content_filter', 'content_filter', 'retrying'],
  ] as const)('finishes an answer that was stopped by %s with %s', (reason, finishReason, type) => {
    const error = { name: 'other', text: `Incomplete response returned, reason: ${reason}` };
    const event: TurnEvent = type === 'retrying' ? { type, error } : { type, status: 'failed', error };
    const { end, answer } = run([text('m1', 'part'), event]);
    expect(end).toEqual({ type: 'answered', finishReason });
    expect(answer.completion(finishReason)).toMatchObject({ usage: null });
  });

  it('leaves unknown usage unknown', () => {
    const { answer } = run([text('m1', 'x'), { type: 'response_done', usage: null }, turnDone]);
    expect(answer.usage()).toBeNull();
    expect(answer.completion('stop').usage).toBeNull();
  });
});
