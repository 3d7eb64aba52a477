import type { ChatChunk, ChatCompletion } from './chat-answer.ts';

/** A whole `chat.completion` as the chunks of a stream: for a caller who asked for a stream when the answer is stored already. */
export function completionChunks(completionJson: string, includeUsage: boolean): string[] {
  const completion = JSON.parse(completionJson) as ChatCompletion;
  const { id, created, model } = completion;
  const usage = includeUsage ? { usage: null } : {};
  const head = { id, object: 'chat.completion.chunk', created, model } as const;
  const chunks: ChatChunk[] = completion.choices.flatMap(({ index, message, logprobs, finish_reason }) => [
    { ...head, choices: [{ index, delta: toDelta(message), logprobs, finish_reason: null }], ...usage },
    { ...head, choices: [{ index, delta: {}, logprobs: null, finish_reason }], ...usage },
  ]);
  if (includeUsage) chunks.push({ ...head, choices: [], usage: completion.usage });
  return chunks.map((chunk) => JSON.stringify(chunk));
}

/** All that a message has, whoever wrote it: a refusal, reasoning, annotations. What is null is left out, as in a stream. */
function toDelta(message: ChatCompletion['choices'][number]['message']): ChatChunk['choices'][number]['delta'] {
  const { tool_calls, ...fields } = message;
  return {
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
    role: 'assistant',
    content: message.content ?? '',
    ...(tool_calls === undefined || tool_calls === null
      ? {}
      : { tool_calls: tool_calls.map((call, at) => ({ index: at, ...call })) }),
  };
}
