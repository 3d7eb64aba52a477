import type { TokenUsage } from '../../core/lane-port.ts';
import type { ChatChunk, ChatCompletion, ChatUsage, FinishReason } from '../../core/wire/chat-answer.ts';
import type { AnswerWire } from './translate-answer.ts';

export interface ChatWireOptions {
  /** `chatcmpl-…`, the same on all chunks. */
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  /** The model's name as the caller sees it. */
  readonly model: string;
  readonly includeUsage: boolean;
}

type Delta = ChatChunk['choices'][number]['delta'];

/** Writes an answer as `chat.completion` and its chunks. */
export function createChatWire({ includeUsage, ...base }: ChatWireOptions): AnswerWire<ChatCompletion> {
  const chunk = (delta: Delta, finishReason: FinishReason | null): string =>
    JSON.stringify({
      ...base,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage ? { usage: null } : {}),
    } satisfies ChatChunk);

  return {
    opening: () => [chunk({ role: 'assistant', content: '' }, null)],
    text: (text) => [chunk({ content: text }, null)],
    finish: (finishReason, { toolCalls, usage }) => {
      const calls = toolCalls.flatMap((call, index) => [
        chunk(
          { tool_calls: [{ index, id: call.id, type: 'function', function: { ...call.function, arguments: '' } }] },
          null,
        ),
        chunk({ tool_calls: [{ index, function: { arguments: call.function.arguments } }] }, null),
      ]);
      const totals: ChatChunk = { ...base, object: 'chat.completion.chunk', choices: [], usage: chatUsage(usage) };
      return [...calls, chunk({}, finishReason), ...(includeUsage ? [JSON.stringify(totals)] : [])];
    },
    whole: (finishReason, { content, toolCalls, usage }) => ({
      ...base,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: content === '' && toolCalls.length > 0 ? null : content,
            refusal: null,
            ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
          },
          logprobs: null,
          finish_reason: finishReason,
        },
      ],
      usage: chatUsage(usage),
    }),
  };
}

function chatUsage(usage: TokenUsage | null): ChatUsage | null {
  return (
    usage && {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.promptTokens + usage.completionTokens,
      prompt_tokens_details: { cached_tokens: usage.cachedPromptTokens },
      completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    }
  );
}
