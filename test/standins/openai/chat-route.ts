import { type AnswerRoute, type AnswerRouteDependencies, createAnswerRoute } from './answer-route.ts';
import { chatCompletion, chatStream } from './chat-shapes.ts';
import { type ChatBody, readChat } from './read-chat.ts';

/** `POST /v1/chat/completions` by script, magic words and echo. */
export function createChatRoute(deps: AnswerRouteDependencies): AnswerRoute<ChatBody> {
  return createAnswerRoute<ChatBody>(deps, {
    idPrefix: 'chatcmpl-',
    missing: ({ messages }) => (Array.isArray(messages) ? undefined : 'messages'),
    read: readChat,
    facts: ({ messages, tools, response_format: text }) => ({ instructions: '', input: messages, tools, text }),
    whole: chatCompletion,
    frames: (identity, answer, body) => {
      const includeUsage = body.stream_options?.include_usage === true;
      const { opening, deltas, closing } = chatStream(identity, answer, includeUsage);
      return {
        opening: opening.map(toFrame),
        deltas: deltas.map(toFrame),
        closing: [...closing.map(toFrame), 'data: [DONE]\n\n'],
      };
    },
  });
}

function toFrame(chunk: object): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
