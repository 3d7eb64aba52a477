import type { PlannedAnswer } from '../planned-answer.ts';
import type { AnswerFrames } from './answer-route.ts';
import type { ChatIdentity } from './chat-shapes.ts';

/** An answer as a `response` of the Responses API. */
export function wholeResponse(identity: ChatIdentity, answer: PlannedAnswer): object {
  return responseOf(identity, answer, itemsOf(identity, answer));
}

/** The same as events, each with `event:` and `data:`. */
export function responseFrames(identity: ChatIdentity, answer: PlannedAnswer): AnswerFrames {
  let sequence = 0;
  const frame = (type: string, fields: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields, sequence_number: sequence++ })}\n\n`;
  const items = itemsOf(identity, answer);
  const whole = responseOf(identity, answer, items);
  const begun = { ...whole, status: 'in_progress', output: [], usage: null };
  const message = items.find((item) => item.type === 'message');
  const place = { item_id: message?.id, output_index: 0, content_index: 0 };
  const opening = ['response.created', 'response.in_progress'].map((type) => frame(type, { response: begun }));
  if (message !== undefined) {
    opening.push(
      frame('response.output_item.added', { output_index: 0, item: { ...message, content: [] } }),
      frame('response.content_part.added', { ...place, part: textPart('') }),
    );
  }
  const deltas =
    message === undefined
      ? []
      : answer.deltas.map((delta) => frame('response.output_text.delta', { ...place, delta, logprobs: [] }));
  const closing = items.flatMap((item, index) => {
    const done = (): string => frame('response.output_item.done', { output_index: index, item });
    if (item.type === 'message') return [frame('response.output_text.done', { ...place, text: answer.text }), done()];
    const at = { item_id: item.id, output_index: index };
    return [
      frame('response.output_item.added', { output_index: index, item: { ...item, arguments: '' } }),
      frame('response.function_call_arguments.delta', { ...at, delta: item.arguments }),
      frame('response.function_call_arguments.done', { ...at, name: item.name, arguments: item.arguments }),
      done(),
    ];
  });
  const last = answer.finishReason === 'length' ? 'response.incomplete' : 'response.completed';
  return { opening, deltas, closing: [...closing, frame(last, { response: whole })] };
}

type Item =
  | { readonly type: 'message'; readonly id: string; readonly role: string; readonly content: readonly object[] }
  | {
      readonly type: 'function_call';
      readonly id: string;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

function itemsOf({ id }: ChatIdentity, answer: PlannedAnswer): Item[] {
  const calls = answer.tools.map((tool, index) => ({
    type: 'function_call' as const,
    id: `fc_${id}${index}`,
    call_id: `call_${id}${index}`,
    status: 'completed',
    name: tool.name,
    arguments: tool.arguments,
  }));
  if (calls.length > 0) return calls;
  const message = { type: 'message' as const, id: `msg_${id}`, status: 'completed', role: 'assistant' };
  return [{ ...message, content: [textPart(answer.text)] }];
}

function responseOf({ id, created, model }: ChatIdentity, answer: PlannedAnswer, output: readonly Item[]) {
  const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = answer.usage;
  const cut = answer.finishReason === 'length';
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: created,
    status: cut ? 'incomplete' : 'completed',
    error: null,
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    model,
    output,
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: cachedTokens },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: inputTokens + outputTokens,
    },
  };
}

function textPart(text: string): object {
  return { type: 'output_text', text, annotations: [] };
}
