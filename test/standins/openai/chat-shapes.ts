import type { PlannedAnswer, PlannedUsage } from '../planned-answer.ts';

/** What all parts of one answer share. */
export interface ChatIdentity {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  /** How many choices were asked for. */
  readonly choices: number;
}

/** The whole answer as a `chat.completion`. */
export function chatCompletion({ id, created, model, choices }: ChatIdentity, answer: PlannedAnswer): object {
  const calls = toolCalls(id, answer);
  const message = {
    role: 'assistant',
    content: calls.length > 0 ? null : answer.text,
    refusal: null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: Array.from({ length: choices }, (_, index) => ({
      index,
      message,
      logprobs: null,
      finish_reason: answer.finishReason,
    })),
    usage: chatUsage(answer.usage),
  };
}

/** The pieces of a stream; `deltas` are the ones between which a scripted answer takes its time. */
export interface ChatStream {
  readonly opening: readonly object[];
  readonly deltas: readonly object[];
  readonly closing: readonly object[];
}

/** @param includeUsage whether the caller asked for a last chunk with the usage */
export function chatStream(identity: ChatIdentity, answer: PlannedAnswer, includeUsage: boolean): ChatStream {
  const { id, created, model } = identity;
  const chunk = (choices: readonly object[], usage: object | null = null): object => ({
    id,
    object: 'chat.completion.chunk',
    created,
    model,
    choices,
    ...(includeUsage ? { usage } : {}),
  });
  const each = (delta: object, finishReason: string | null = null): object =>
    chunk(
      Array.from({ length: identity.choices }, (_, index) => ({
        index,
        delta,
        logprobs: null,
        finish_reason: finishReason,
      })),
    );
  const calls = toolCalls(id, answer).flatMap((call, index) => [
    each({ tool_calls: [{ index, ...call, function: { name: call.function.name, arguments: '' } }] }),
    each({ tool_calls: [{ index, function: { arguments: call.function.arguments } }] }),
  ]);
  return {
    opening: [each({ role: 'assistant', content: answer.tools.length > 0 ? null : '' })],
    deltas: [...answer.deltas.map((content) => each({ content })), ...calls],
    closing: [each({}, answer.finishReason), ...(includeUsage ? [chunk([], chatUsage(answer.usage))] : [])],
  };
}

function toolCalls(id: string, answer: PlannedAnswer) {
  return answer.tools.map((tool, index) => ({
    id: `call_${id.slice(9)}${index}`,
    type: 'function',
    function: { name: tool.name, arguments: tool.arguments },
  }));
}

function chatUsage(usage: PlannedUsage): object {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}
