import { describe, expect, it } from 'vitest';
import { responsesRequestSchema } from '../../../core/wire/responses-request.ts';
import { createResponseWire } from '../../../lanes/codex/response-wire.ts';
import { createAnswer } from '../../../lanes/codex/translate-answer.ts';
import { echoOf } from '../../../lanes/codex/translate-responses.ts';
import type { TurnEvent } from '../../../lanes/codex/turn-events.ts';

const usage = { promptTokens: 100, cachedPromptTokens: 20, completionTokens: 5, reasoningTokens: 2 };
const text = (delta: string): TurnEvent => ({ type: 'text', itemId: 'm', text: delta });
const call = (callId: string): TurnEvent => ({ type: 'tool_call', callId, name: 'f', arguments: '{"a":1}' });
const responseDone: TurnEvent = { type: 'response_done', usage };
const turnDone: TurnEvent = { type: 'turn_done', status: 'completed', error: null };

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly output_index?: number;
  readonly response?: { readonly status: string; readonly output: readonly object[] };
}

function run(turn: readonly TurnEvent[]) {
  const echo = echoOf(responsesRequestSchema.parse({ model: 'm', input: 'hi' }));
  const wire = createResponseWire({ idSuffix: 'ab', created: 7, model: 'm', echo });
  const answer = createAnswer(
    { toolNames: new Set(['f']), mustCall: false, parallelToolCalls: true, json: false },
    wire,
  );
  const steps = turn.map((event) => answer.take(event));
  const events = steps.flatMap(({ chunks }) => chunks.map((json) => JSON.parse(json) as Event));
  const end = steps.at(-1)?.end;
  if (end?.type !== 'answered') throw new Error('not answered');
  return { events, types: events.map(({ type }) => type), whole: answer.completion(end.finishReason) };
}

describe('an answer of a plan lane as a response', () => {
  it('writes a text as one message, with the events in order and counted', () => {
    const { events, types, whole } = run([text('Hel'), text('lo'), responseDone, turnDone]);
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    expect(events[0]?.response).toMatchObject({ status: 'in_progress', output: [], usage: null });
    expect(events.at(-1)?.response).toEqual(whole);
    expect(whole).toMatchObject({
      id: 'resp_ab',
      object: 'response',
      created_at: 7,
      status: 'completed',
      output: [{ type: 'message', status: 'completed', content: [{ type: 'output_text', text: 'Hello' }] }],
      usage: {
        input_tokens: 100,
        input_tokens_details: { cached_tokens: 20 },
        output_tokens: 5,
        output_tokens_details: { reasoning_tokens: 2 },
        total_tokens: 105,
      },
    });
  });

  it('writes function calls behind the text, each with an id of its own', () => {
    const { events, whole } = run([text('I look'), call('c1'), call('c2'), responseDone]);
    expect(whole.output).toMatchObject([
      { type: 'message' },
      { type: 'function_call', id: 'fc_ab0', call_id: 'c1', arguments: '{"a":1}' },
      { type: 'function_call', id: 'fc_ab1', call_id: 'c2' },
    ]);
    const deltas = events.filter(({ type }) => type === 'response.function_call_arguments.delta');
    expect(deltas.map((event) => event.output_index)).toEqual([1, 2]);
  });

  it('has no message where there are calls alone', () => {
    const { whole, types } = run([call('c1'), responseDone]);
    expect(whole.output).toMatchObject([{ type: 'function_call' }]);
    expect(types).not.toContain('response.content_part.added');
  });

  it.each([
    ['max_output_tokens', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('is incomplete where the model was stopped by %s', (words, reason) => {
    const error = { name: 'other', text: `Incomplete response returned, reason: ${words}` };
    const { whole, types } = run([text('Hel'), { type: 'turn_done', status: 'failed', error }]);
    expect(types.at(-1)).toBe('response.incomplete');
    expect(whole).toMatchObject({ status: 'incomplete', incomplete_details: { reason }, usage: null });
  });
});
