import type { FinishReason } from '../../core/wire/chat-answer.ts';
import {
  outputText,
  toResponseUsage,
  type FunctionCallItem,
  type MessageItem,
  type OutputItem,
  type ResponseAnswer,
  type ResponseEcho,
} from '../../core/wire/response-answer.ts';
import { createResponseEvents } from '../../core/wire/response-events.ts';
import type { AnswerParts, AnswerWire } from './translate-answer.ts';

export interface ResponseWireOptions {
  /** 32 random hex digits: the part of all ids behind their prefix. */
  readonly idSuffix: string;
  /** Unix seconds. */
  readonly created: number;
  /** The model's name as the caller sees it. */
  readonly model: string;
  readonly echo: ResponseEcho;
}

/**
 * Writes an answer as a `response` and its events. All text is one message, which is the first item; function calls follow.
 * Reasoning is left out: the plan's is of use to its own backend alone.
 */
export function createResponseWire(options: ResponseWireOptions): AnswerWire<ResponseAnswer> {
  const { idSuffix, created, model, echo } = options;
  const events = createResponseEvents();
  const messageId = `msg_${idSuffix}`;
  let messageBegun = false;

  const whole = (finishReason: FinishReason, parts: AnswerParts): ResponseAnswer => {
    const reason = INCOMPLETE_REASONS[finishReason];
    return {
      id: `resp_${idSuffix}`,
      object: 'response',
      created_at: created,
      status: reason === undefined ? 'completed' : 'incomplete',
      error: null,
      incomplete_details: reason === undefined ? null : { reason },
      model,
      ...echo,
      output: outputOf(finishReason, parts),
      usage: toResponseUsage(parts.usage),
    };
  };

  const outputOf = (finishReason: FinishReason, { content, toolCalls }: AnswerParts): OutputItem[] => {
    const message: MessageItem = {
      id: messageId,
      type: 'message',
      status: INCOMPLETE_REASONS[finishReason] === undefined ? 'completed' : 'incomplete',
      role: 'assistant',
      content: [outputText(content)],
    };
    const calls = toolCalls.map((call, index): FunctionCallItem => ({
      id: `fc_${idSuffix}${index}`,
      type: 'function_call',
      status: 'completed',
      call_id: call.id,
      name: call.function.name,
      arguments: call.function.arguments,
    }));
    return content === '' ? calls : [message, ...calls];
  };

  return {
    opening: () => events.begin(whole('stop', { content: '', toolCalls: [], usage: null })),
    text(text) {
      const begin = messageBegun ? [] : events.messageBegin(0, messageId);
      messageBegun = true;
      return [...begin, ...events.text(0, messageId, text)];
    },
    finish: (finishReason, parts) => [
      ...outputOf(finishReason, parts).flatMap((item, index) =>
        item.type === 'message' ? events.messageEnd(index, item) : events.functionCall(index, item),
      ),
      ...events.end(whole(finishReason, parts)),
    ],
    whole,
  };
}

/** An answer that the model was stopped in is incomplete on this wire; the others are whole. */
const INCOMPLETE_REASONS: Readonly<Partial<Record<FinishReason, 'max_output_tokens' | 'content_filter'>>> = {
  length: 'max_output_tokens',
  content_filter: 'content_filter',
};
