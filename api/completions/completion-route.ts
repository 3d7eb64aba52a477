import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { ReplyEnd } from '../../core/reply.ts';
import type { Operation } from '../../core/lane-port.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { LaneLoad } from '../../lanes/policy/lane-load.ts';
import { goneSignal } from '../gone-signal.ts';
import { REPLAYED, sendKept } from '../idempotency/kept-answer.ts';
import { readIdempotencyKey } from '../idempotency/read-key.ts';
import type { RunOnce } from '../idempotency/run-once.ts';
import { retryHeaders } from '../plugins/handle-errors.ts';
import { choosePlan } from './choose-plan.ts';
import { shareKeyOf } from './conversation-key.ts';
import { dryRun } from './dry-run.ts';
import { keepStrict } from './keep-strict.ts';
import { placeDrill, readDrill } from './read-drill.ts';
import { readWait } from './read-wait.ts';
import { laneHeaders, metaHeaders } from './reply-headers.ts';
import { CallerGone, type ReplyChunk, type RunCompletion } from './run-completion.ts';
import { createEventStream, type EventStream, type StreamEvent } from './stream-reply.ts';

/**
 * Images come as data URLs inside of the body, and a history of a million characters is not rare. A body is kept in one
 * document, which MongoDB limits to 16 MiB.
 */
const BODY_LIMIT_BYTES = 12 * 1024 * 1024;

export interface CompletionDeps {
  readonly runCompletion: RunCompletion;
  /** Serves without a workflow what may be served so. */
  readonly runDirect: RunCompletion;
  /** Gives requests with an idempotency key the one answer of that key. */
  readonly runOnce: RunOnce;
  readonly directory: LaneDirectory;
  /** What is under way on each lane, by which lanes share. */
  readonly load: LaneLoad;
  readonly clock: Clock;
  /** Whether admin keys may play failures on their requests; not where it is left out. */
  readonly drills?: boolean;
  /** Silence on a stream after which a comment is sent. */
  readonly pingAfterMs: number;
}

/** What a body of every such endpoint has. */
interface CompletionBody {
  readonly model: string;
  readonly stream?: boolean | null | undefined;
}

/** How an endpoint writes a stream of server-sent events. */
export interface StreamWire<Body> {
  /** One chunk, as the lane gave it. */
  readonly chunk: (json: string) => StreamEvent;
  /** The whole answer as chunks: for a caller who asked for a stream when the answer is stored already. */
  readonly chunksOf: (answerJson: string, body: Body) => readonly string[];
  /** What ends a whole stream; undefined where the last chunk says so itself. */
  readonly last: StreamEvent | undefined;
  /** An error behind chunks that the caller has had. `sent` is how many. */
  readonly error: (errorJson: string, sent: number) => StreamEvent;
}

export interface CompletionEndpoint<Body extends CompletionBody> {
  readonly path: string;
  readonly operation: Operation;
  /** @throws ApiError that names the parameter at fault */
  readonly parse: (body: unknown) => Body;
  /** undefined where the endpoint has no streams. */
  readonly stream: StreamWire<Body> | undefined;
}

/**
 * Registers one endpoint that lanes serve: plan of lanes, claim check, workflow, answer. The endpoints differ in what they
 * take and in how they write a stream, and in nothing else.
 */
export function registerCompletionRoute<Body extends CompletionBody>(
  app: FastifyInstance,
  { runCompletion, runDirect, runOnce, directory, load, clock, drills = false, pingAfterMs }: CompletionDeps,
  endpoint: CompletionEndpoint<Body>,
): void {
  const { path, operation, stream: wire } = endpoint;
  app.post(path, { bodyLimit: BODY_LIMIT_BYTES }, async (request, reply) => {
    const body = endpoint.parse(request.body);
    const gone = goneSignal(reply);
    const waitMs = readWait(request.headers['x-flatlane-wait']);
    const allowMetered = request.headers['x-flatlane-allow-metered'] === 'true';
    const permissions = { ...request.caller, allowMetered };
    const strict = request.headers['x-flatlane-strict'] === 'true';
    const { keyId, admin } = request.caller;
    const drillWish = readDrill(request.headers['x-flatlane-drill'], { enabled: drills, admin });
    const shareKey = () => shareKeyOf({ requestId: request.id, keyId, operation, body });
    if (request.headers['x-flatlane-dry-run'] === 'true') {
      const asked = { operation, body, permissions, strict, shareKey, drillWish };
      return reply.send(await dryRun({ directory, clock }, asked));
    }
    const keyed = readIdempotencyKey(request);
    const stream = wire !== undefined && body.stream === true;
    const headers: Record<string, string> = { 'x-request-id': request.id };
    const events = createEventStream(reply, headers, pingAfterMs);
    let sent = 0;
    const onChunk = async (chunk: ReplyChunk): Promise<boolean> => {
      if (wire === undefined) throw new Error(`${path} has no streams`);
      sent += 1;
      return events.send(wire.chunk(chunk.json), laneHeaders(chunk));
    };
    const work = async (requestId: string): Promise<ReplyEnd> => {
      headers['x-request-id'] = requestId;
      const plan = await choosePlan(directory, body.model, permissions, clock, operation, waitMs > 0, shareKey);
      // A wait, and work that goes on when its caller is gone, need what survives this process.
      const isDirect = plan.direct && waitMs === 0 && keyed === undefined;
      const lanes = strict ? keepStrict(plan.lanes, { operation, body }) : plan.lanes;
      const drill = placeDrill(drillWish, lanes);
      // On the lane where it begins. Where it goes from there is known to those who serve it alone, and soon to the next plan.
      const begins = lanes.find(({ unavailableUntil }) => unavailableUntil <= clock.now());
      const leave = begins === undefined ? undefined : load.enter(begins.laneId);
      try {
        return await (isDirect ? runDirect : runCompletion)({
          requestId,
          keyId,
          model: body.model,
          operation,
          body,
          stream,
          plan: lanes,
          drill,
          waitMs,
          outlivesCaller: keyed !== undefined,
          signal: gone,
          onChunk,
        });
      } finally {
        leave?.();
      }
    };
    try {
      const answered =
        keyed === undefined
          ? { requestId: request.id, end: await work(request.id), isReplay: false }
          : await runOnce({ keyed, requestId: request.id, signal: gone, work });
      headers['x-request-id'] = answered.requestId;
      if (!events.started) reply.header('x-request-id', answered.requestId);
      if ('refusal' in answered) return sendKept(reply, answered.refusal);
      const { end } = answered;
      if (answered.isReplay) {
        Object.assign(headers, REPLAYED);
        reply.headers(REPLAYED);
      }
      if (wire !== undefined && events.started) return endStream(events, wire, end, sent);
      if (wire !== undefined && stream && end.type === 'done' && end.body !== null) {
        for (const json of wire.chunksOf(end.body, body)) await events.send(wire.chunk(json), laneHeaders(end.meta));
        return events.end(wire.last);
      }
      return sendWhole(reply, end);
    } catch (error) {
      if (error instanceof CallerGone) {
        if (events.started) events.end();
        return reply.hijack();
      }
      if (wire !== undefined && events.started) {
        request.log.error({ err: error }, 'a streamed answer broke off');
        events.end(wire.error(BROKE_OFF, sent));
        return reply;
      }
      throw error;
    }
  });
}

const BROKE_OFF = JSON.stringify(new ApiError('upstream_broken', 'The answer broke off. Send the request again.').body);

/**
 * An error event, and not the event of a good end, after a broken answer: clients must not take a part for the whole. An end
 * that brings a body comes from the database because the reply channel was lost: then nobody knows which chunks have arrived.
 */
function endStream<Body>(events: EventStream, wire: StreamWire<Body>, end: ReplyEnd, sent: number): void {
  if (end.type === 'failed') events.end(wire.error(end.body, sent));
  else events.end(end.body === null ? wire.last : wire.error(BROKE_OFF, sent));
}

function sendWhole(reply: FastifyReply, end: ReplyEnd): FastifyReply {
  if (end.type === 'done') return reply.headers(metaHeaders(end.meta)).type('application/json').send(end.body);
  return reply
    .code(end.status)
    .headers({ ...retryHeaders(end), 'x-flatlane-attempts': String(end.attempts) })
    .type('application/json')
    .send(end.body);
}
