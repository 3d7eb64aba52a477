import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';
import { completionChunks } from '../../core/wire/completion-chunks.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { choosePlan } from '../completions/choose-plan.ts';
import { laneHeaders, metaHeaders } from '../completions/reply-headers.ts';
import { CallerGone, type RunCompletion } from '../completions/run-completion.ts';
import { createEventStream, type EventStream } from '../completions/stream-reply.ts';
import type { ReplyEnd } from '../completions/watch-completion.ts';
import { parseBody } from '../parse-body.ts';
import { retryHeaders } from '../plugins/handle-errors.ts';

/**
 * Images come as data URLs inside of the body, and a history of a million characters is not rare. Body and answer are kept
 * in one document, which MongoDB limits to 16 MiB: 4 MiB are left for the answer.
 */
const CHAT_BODY_LIMIT_BYTES = 12 * 1024 * 1024;

interface ChatDeps {
  readonly runCompletion: RunCompletion;
  readonly directory: LaneDirectory;
  readonly clock: Clock;
}

/** `POST /v1/chat/completions`, streaming and not. */
export function registerChatRoutes(app: FastifyInstance, { runCompletion, directory, clock }: ChatDeps): void {
  app.post('/v1/chat/completions', { bodyLimit: CHAT_BODY_LIMIT_BYTES }, async (request, reply) => {
    const body = parseBody(chatRequestSchema, request.body);
    const gone = new AbortController();
    // Before anything is waited for: a caller who leaves meanwhile must not be served.
    reply.raw.once('close', () => {
      if (!reply.raw.writableEnded) gone.abort();
    });
    const plan = await choosePlan(directory, body.model, request.caller, clock);
    const events = createEventStream(reply, { 'x-request-id': request.id });
    try {
      const end = await runCompletion({
        requestId: request.id,
        keyId: request.caller.keyId,
        model: body.model,
        body,
        stream: body.stream === true,
        plan,
        signal: gone.signal,
        onChunk: (chunk) => events.send(chunk.json, laneHeaders(chunk)),
      });
      if (events.started) return endStream(events, end);
      if (body.stream === true && end.type === 'done' && end.body !== null) {
        return await streamWhole(events, end, body.stream_options?.include_usage === true);
      }
      return sendWhole(reply, end);
    } catch (error) {
      if (error instanceof CallerGone) {
        if (events.started) events.end();
        return reply.hijack();
      }
      if (events.started) {
        request.log.error({ err: error }, 'a streamed answer broke off');
        events.end(BROKE_OFF);
        return reply;
      }
      throw error;
    }
  });
}

const BROKE_OFF = JSON.stringify(new ApiError('upstream_broken', 'The answer broke off. Send the request again.').body);

/**
 * An error event without `[DONE]` after a broken answer: clients must not take a part for the whole. An end that brings a
 * body comes from the database because the reply channel was lost: then nobody knows which chunks have arrived.
 */
function endStream(events: EventStream, end: ReplyEnd): void {
  if (end.type === 'failed') events.end(end.body);
  else events.end(end.body === null ? '[DONE]' : BROKE_OFF);
}

/** The reply channel was lost, and the answer came from the database: it is streamed from there. */
async function streamWhole(
  events: EventStream,
  end: ReplyEnd & { type: 'done' },
  includeUsage: boolean,
): Promise<void> {
  for (const chunk of completionChunks(end.body ?? '', includeUsage)) await events.send(chunk, laneHeaders(end.meta));
  events.end('[DONE]');
}

function sendWhole(reply: FastifyReply, end: ReplyEnd): FastifyReply {
  if (end.type === 'done') return reply.headers(metaHeaders(end.meta)).type('application/json').send(end.body);
  return reply
    .code(end.status)
    .headers({ ...retryHeaders(end), 'x-flatlane-attempts': String(end.attempts) })
    .type('application/json')
    .send(end.body);
}
