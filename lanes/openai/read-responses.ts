import { isJsonObject, parseJson, type JsonObject } from '../../core/wire/json-object.ts';
import { readUsage } from '../../core/wire/usage.ts';
import { ANSWER_LIMIT_BYTES, limitBytes } from './bounded-body.ts';
import { classifyErrorInside } from './error-inside.ts';
import type { CompletionReading, NotWhole } from './read-completion.ts';
import type { StreamEnd, StreamReading } from './read-stream.ts';
import { readServerSentEvents } from './sse-parser.ts';

/** Checks that the body of a 200 is a whole `response`. Pure. */
export function readResponse(text: string): CompletionReading {
  const response = parseJson(text);
  if (!isJsonObject(response)) return { whole: false, reason: 'a 200 whose body is no JSON object' };
  return (
    problemOf(response) ?? {
      whole: true,
      body: text.trim(),
      usage: response['usage'],
      serviceTier: response['service_tier'],
    }
  );
}

/** Events that only announce what will come: before there is content another lane can still take over. */
const WITHOUT_CONTENT = new Set([
  'response.created',
  'response.queued',
  'response.in_progress',
  'response.output_item.added',
  'response.content_part.added',
  'response.reasoning_summary_part.added',
]);

const LAST_EVENTS = new Set(['response.completed', 'response.incomplete']);

/**
 * Reads a provider's stream of the Responses API and passes each event on as it came. The last event brings the whole answer.
 * Errors of the connection and of the stream's form are thrown.
 */
export async function readResponsesStream({ body, passOn, ending }: StreamReading): Promise<StreamEnd> {
  const held: string[] = [];
  let hasContent = false;
  let end: StreamEnd | undefined;
  try {
    for await (const data of readServerSentEvents(limitBytes(body, ANSWER_LIMIT_BYTES))) {
      // Some providers put a `[DONE]` behind the last event, as chat completions have it.
      if (end !== undefined || data === '[DONE]') continue;
      const event = parseJson(data);
      const type = isJsonObject(event) ? event['type'] : undefined;
      if (!isJsonObject(event) || typeof type !== 'string') return { whole: false, reason: 'an event is none' };
      const { response } = event;
      if (type === 'error' || type === 'response.failed') {
        // OpenAI's own `error` has its code at the top; others put an object there, as in the answer with an HTTP status.
        const error = type === 'error' ? (event['error'] ?? event) : isJsonObject(response) && response['error'];
        const begun = hasContent || (isJsonObject(response) && isBegun(response));
        return errorInside('the provider sent an error inside the stream', error, begun);
      }
      if (LAST_EVENTS.has(type)) {
        if (!isJsonObject(response)) return { whole: false, reason: 'the last event is without a response' };
        const problem = problemOf(response);
        if (problem !== null) return { ...problem, begun: hasContent || problem.begun === true };
        end = { whole: true, completion: response, usage: response['usage'] };
      }
      held.push(data);
      hasContent ||= !WITHOUT_CONTENT.has(type);
      if (hasContent) for (const json of held.splice(0)) await passOn(json);
      if (end !== undefined) ending();
    }
  } catch (error) {
    // After the last event the answer is there; how the connection ends is of no interest.
    if (end === undefined) throw error;
  }
  return end ?? { whole: false, reason: 'the stream ended before the answer did' };
}

function problemOf(response: JsonObject): NotWhole | null {
  const { error = null, output, status = 'completed' } = response;
  if (error !== null) return errorInside('a 200 with an error in its body', error, isBegun(response));
  if (!Array.isArray(output)) return { whole: false, reason: 'a 200 without output' };
  if (status === 'completed' || status === 'incomplete') return null;
  return { whole: false, reason: 'a 200 with a response that is not complete' };
}

/** @param reason where the error's code says nothing more exact */
function errorInside(reason: string, error: unknown, begun: boolean): NotWhole {
  const inside = classifyErrorInside(error);
  return inside === undefined ? { whole: false, reason } : { whole: false, reason, inside, begun };
}

/** True where something was made, or tokens were counted, before the response failed. */
function isBegun({ output, usage }: JsonObject): boolean {
  return (Array.isArray(output) && output.length > 0) || (readUsage(usage)?.completionTokens ?? 0) > 0;
}
