import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
import { ANSWER_LIMIT_BYTES, limitBytes } from './bounded-body.ts';
import type { CompletionReading } from './read-completion.ts';
import type { StreamEnd, StreamReading } from './read-stream.ts';
import { readServerSentEvents } from './sse-parser.ts';

/** Checks that the body of a 200 is a whole `response`. Pure. */
export function readResponse(text: string): CompletionReading {
  const response = parseJson(text);
  const problem = problemOf(response);
  if (problem !== null || !isJsonObject(response))
    return { whole: false, reason: problem ?? 'a 200 without a response' };
  return { whole: true, body: text.trim(), usage: response['usage'] };
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
      if (type === 'error' || type === 'response.failed') {
        return { whole: false, reason: 'the provider sent an error inside the stream' };
      }
      if (LAST_EVENTS.has(type)) {
        const response = event['response'];
        const problem = problemOf(response);
        if (problem !== null || !isJsonObject(response)) return { whole: false, reason: problem ?? 'no response' };
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

function problemOf(response: unknown): string | null {
  if (!isJsonObject(response)) return 'a 200 whose body is no JSON object';
  if ((response['error'] ?? null) !== null) return 'a 200 with an error in its body';
  if (!Array.isArray(response['output'])) return 'a 200 without output';
  const status = response['status'] ?? 'completed';
  return status === 'completed' || status === 'incomplete' ? null : 'a 200 with a response that is not complete';
}
