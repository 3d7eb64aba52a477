import type { FastifyInstance } from 'fastify';
import { embeddingsRequestSchema } from '../../core/wire/embeddings-request.ts';
import { registerCompletionRoute, type CompletionDeps } from '../completions/completion-route.ts';
import { keepText, textOf, withoutMember } from '../../core/wire/written-text.ts';
import { parseBody } from '../parse-body.ts';

/** `POST /v1/embeddings`, on key lanes. */
export function registerEmbeddingsRoutes(app: FastifyInstance, deps: CompletionDeps): void {
  registerCompletionRoute(app, deps, {
    path: '/v1/embeddings',
    operation: 'embeddings',
    // The endpoint has no streams: a field of that name must not make one at the provider.
    parse: (body) => withoutMember(keepText(parseBody(embeddingsRequestSchema, body), textOf(body)), 'stream'),
    stream: undefined,
  });
}
