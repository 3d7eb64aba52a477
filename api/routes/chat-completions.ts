import type { FastifyInstance } from 'fastify';
import { chatRequestSchema, type ChatRequest } from '../../core/wire/chat-request.ts';
import { completionChunks } from '../../core/wire/completion-chunks.ts';
import { registerCompletionRoute, type CompletionDeps, type StreamWire } from '../completions/completion-route.ts';
import { keepText, textOf } from '../../core/wire/written-text.ts';
import { parseBody } from '../parse-body.ts';

/** Without `[DONE]` clients don't take a stream for a whole one, so an error is not followed by it. */
const CHAT_STREAM: StreamWire<ChatRequest> = {
  chunk: (json) => ({ data: json }),
  chunksOf: (answer, body) => completionChunks(answer, body.stream_options?.include_usage === true),
  last: { data: '[DONE]' },
  error: (errorJson) => ({ data: errorJson }),
};

/** `POST /v1/chat/completions`, streaming and not. */
export function registerChatRoutes(app: FastifyInstance, deps: CompletionDeps): void {
  registerCompletionRoute(app, deps, {
    path: '/v1/chat/completions',
    operation: 'chat',
    parse: (body) => keepText(parseBody(chatRequestSchema, body), textOf(body)),
    stream: CHAT_STREAM,
  });
}
