import type { FastifyInstance } from 'fastify';
import { ApiError, type ErrorBody } from '../../core/errors.ts';
import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
import { responseEvents } from '../../core/wire/response-events.ts';
import { memoryDemand } from '../../core/wire/responses-memory.ts';
import { responsesRequestSchema, type ResponsesRequest } from '../../core/wire/responses-request.ts';
import { registerCompletionRoute, type CompletionDeps, type StreamWire } from '../completions/completion-route.ts';
import type { StreamEvent } from '../completions/stream-reply.ts';
import { keepText, textOf } from '../../core/wire/written-text.ts';
import { parseBody } from '../parse-body.ts';

/** The last event of a whole stream says so itself; an error takes its place. */
const RESPONSES_STREAM: StreamWire<ResponsesRequest> = {
  chunk: namedEvent,
  chunksOf: (answer) => responseEvents(answer),
  last: undefined,
  error: errorEvent,
};

/** `POST /v1/responses`, streaming and not, without memory: the caller sends the history. */
export function registerResponsesRoutes(app: FastifyInstance, deps: CompletionDeps): void {
  registerCompletionRoute(app, deps, {
    path: '/v1/responses',
    operation: 'responses',
    parse: (body) => keepText(refuseMemory(parseBody(responsesRequestSchema, body)), textOf(body)),
    stream: RESPONSES_STREAM,
  });
}

function refuseMemory(body: ResponsesRequest): ResponsesRequest {
  const demand = memoryDemand(body);
  if (demand !== undefined) throw new ApiError('unsupported_parameter', demand.message, { param: demand.param });
  return body;
}

const LEADING_TYPE = /^\{"type":\s?"([\w.]+)"/;

/** Every event has its type as its name. It nearly always stands in front; if not, the event is read for it. */
function namedEvent(json: string): StreamEvent {
  const leading = LEADING_TYPE.exec(json)?.[1];
  if (leading !== undefined) return { name: leading, data: json };
  const event = parseJson(json);
  const type = isJsonObject(event) ? event['type'] : undefined;
  return typeof type === 'string' ? { name: type, data: json } : { data: json };
}

/**
 * The documented fields, and the error as an object: only by that does the official client notice that it must throw.
 * @param sent events that went before, which are numbered from 0
 */
function errorEvent(errorJson: string, sent: number): StreamEvent {
  const { error } = JSON.parse(errorJson) as ErrorBody;
  const { code, message, param } = error;
  return {
    name: 'error',
    data: JSON.stringify({ type: 'error', sequence_number: sent, code, message, param, error }),
  };
}
