import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';
import { completionChunks } from '../../core/wire/completion-chunks.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { choosePlan } from '../completions/choose-plan.ts';
import { laneHeaders, metaHeaders } from '../completions/reply-headers.ts';
import { CallerGone, type ReplyEnd, type RunCompletion } from '../completions/run-completion.ts';
import { createEventStream, type EventStream } from '../completions/stream-reply.ts';
import { parseBody } from '../parse-body.ts';
import { retryHeaders } from '../plugins/handle-errors.ts';

/** Images come as data URLs inside of the body, and a history of a million characters is not rare. */
const CHAT_BODY_LIMIT_BYTES = 64 * 1024 * 1024;

interface ChatDeps {
  readonly runCompletion: RunCompletion;
  readonly directory: LaneDirectory;
  readonly clock: Clock;
}

/** `POST /v1/chat/completions`, streaming and not. */
export function registerChatRoutes(app: FastifyInstance, { runCompletion, directory, clock }: ChatDeps): void {
  app.post('/v1/chat/completions', { bodyLimit: CHAT_BODY_LIMIT_BYTES }, async (request, reply) => {
    const body = parseBody(chatRequestSchema, request.body);
    const plan = await choosePlan(directory, body.model, request.caller, clock);
    const gone = new AbortController();
    reply.raw.once('close', () => {
      if (!reply.raw.writableEnded) gone.abort();
    });
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
        events.end(
          JSON.stringify({
            error: { message: 'The answer broke off.', type: 'server_error', param: null, code: null },
          }),
        );
        return reply;
      }
      throw error;
    }
  });
}

/** An error event without `[DONE]` after a broken answer: clients must not take a part for the whole. */
function endStream(events: EventStream, end: ReplyEnd): void {
  events.end(end.type === 'done' ? '[DONE]' : end.body);
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
