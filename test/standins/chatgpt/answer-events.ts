import { randomUUID } from 'node:crypto';
import type { PlannedAnswer } from '../planned-answer.ts';

export interface ResponsesEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** An answer as the items and events of the Responses wire. */
export interface AnswerEvents {
  readonly responseId: string;
  /** What comes before the text: the response's begin, reasoning, and the message's begin. */
  readonly opening: readonly ResponsesEvent[];
  /** One event a delta. */
  readonly deltas: readonly ResponsesEvent[];
  /** One event for each item that becomes whole after the deltas: the message, and function calls. */
  readonly whole: readonly ResponsesEvent[];
  /** Those of them up to the first function call. */
  readonly wholeToFirstCall: readonly ResponsesEvent[];
  readonly end: ResponsesEvent;
  /** The end in the place of `end` when the model is stopped. */
  readonly incomplete: ResponsesEvent;
  /** The items of the answer, which are part of the history from now on. */
  readonly items: readonly object[];
}

export function buildAnswerEvents(answer: PlannedAnswer): AnswerEvents {
  const responseId = newId('resp');
  const messageId = newId('msg');
  const reasoning = answer.usage.reasoningTokens === 0 ? [] : [reasoningItem()];
  const calls = answer.tools.map((tool) => ({
    type: 'function_call',
    id: newId('fc'),
    call_id: newId('call'),
    name: tool.name,
    arguments: tool.arguments,
  }));
  const messages = calls.length > 0 && answer.text === '' ? [] : [messageItem(messageId, answer.text)];
  const done = (item: object, index: number): ResponsesEvent => ({
    type: 'response.output_item.done',
    item,
    output_index: index,
  });
  const at = reasoning.length;
  const begin = messages.map(() => ({
    type: 'response.output_item.added',
    item: messageItem(messageId, ''),
    output_index: at,
  }));
  const whole = [...messages, ...calls].map((item, index) => done(item, at + index));
  return {
    responseId,
    opening: [{ type: 'response.created', response: { id: responseId } }, ...reasoning.map(done), ...begin],
    deltas: answer.deltas.map((delta) => ({
      type: 'response.output_text.delta',
      item_id: messageId,
      output_index: at,
      content_index: 0,
      delta,
    })),
    whole,
    wholeToFirstCall: whole.slice(0, messages.length + 1),
    end: completed(responseId, answer),
    incomplete: completed(responseId, { usage: answer.usage, finishReason: 'length' }),
    items: [...reasoning, ...messages, ...calls],
  };
}

/** What a warm-up (`generate: false`) gets. */
export function buildEmptyResponse(): { readonly responseId: string; readonly events: readonly ResponsesEvent[] } {
  const responseId = newId('resp');
  const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  return {
    responseId,
    events: [
      { type: 'response.created', response: { id: responseId } },
      completed(responseId, { usage, finishReason: 'stop' }),
    ],
  };
}

function completed(responseId: string, answer: Pick<PlannedAnswer, 'usage' | 'finishReason'>): ResponsesEvent {
  const { usage } = answer;
  const response = {
    id: responseId,
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
  };
  if (answer.finishReason !== 'length') return { type: 'response.completed', response };
  return {
    type: 'response.incomplete',
    response: { ...response, incomplete_details: { reason: 'max_output_tokens' } },
  };
}

function messageItem(id: string, text: string): object {
  return { type: 'message', role: 'assistant', id, content: [{ type: 'output_text', text }] };
}

function reasoningItem(): object {
  return {
    type: 'reasoning',
    id: newId('rs'),
    summary: [{ type: 'summary_text', text: 'Thinking it over.' }],
    encrypted_content: 'c3RhbmQtaW4=',
  };
}

function newId(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '')}`;
}
