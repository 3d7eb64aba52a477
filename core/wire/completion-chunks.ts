import type { ChatChunk, ChatCompletion } from './chat-answer.ts';

/** A whole `chat.completion` as the chunks of a stream: for a caller who asked for a stream when the answer is stored already. */
export function completionChunks(completionJson: string, includeUsage: boolean): string[] {
  const completion = JSON.parse(completionJson) as ChatCompletion;
  const { id, created, model } = completion;
  const usage = includeUsage ? { usage: null } : {};
  const head = { id, object: 'chat.completion.chunk', created, model } as const;
  const chunks: ChatChunk[] = completion.choices.flatMap(({ index, message, finish_reason }) => [
    {
      ...head,
      choices: [
        {
          index,
          delta: {
            role: 'assistant',
            content: message.content ?? '',
            ...(message.tool_calls === undefined
              ? {}
              : { tool_calls: message.tool_calls.map((call, at) => ({ index: at, ...call })) }),
          },
          logprobs: null,
          finish_reason: null,
        },
      ],
      ...usage,
    },
    { ...head, choices: [{ index, delta: {}, logprobs: null, finish_reason }], ...usage },
  ]);
  if (includeUsage) chunks.push({ ...head, choices: [], usage: completion.usage });
  return chunks.map((chunk) => JSON.stringify(chunk));
}
