import { isJsonObject, type JsonObject } from './json-object.ts';
import { outputText, type FunctionCallItem, type MessageItem, type ResponseAnswer } from './response-answer.ts';

/** Writes the events of one streamed response, each as its JSON text; they count on from 0. */
export interface ResponseEvents {
  /** The response has begun: nothing of its output is there. */
  begin(response: JsonObject | ResponseAnswer): readonly string[];
  messageBegin(index: number, itemId: string): readonly string[];
  text(index: number, itemId: string, delta: string): readonly string[];
  messageEnd(index: number, item: MessageItem): readonly string[];
  functionCall(index: number, item: FunctionCallItem): readonly string[];
  /** An item of another kind, whole. */
  item(index: number, item: JsonObject): readonly string[];
  /** `response.completed`, or `response.incomplete` where the answer was cut. */
  end(response: JsonObject | ResponseAnswer): readonly string[];
}

export function createResponseEvents(): ResponseEvents {
  let sequence = 0;
  const event = (type: string, fields: object): string =>
    JSON.stringify({ type, sequence_number: sequence++, ...fields });
  const added = (index: number, item: object): string =>
    event('response.output_item.added', { output_index: index, item });
  const done = (index: number, item: object): string =>
    event('response.output_item.done', { output_index: index, item });

  return {
    begin(response) {
      const begun = { ...response, status: 'in_progress', incomplete_details: null, output: [], usage: null };
      return ['response.created', 'response.in_progress'].map((type) => event(type, { response: begun }));
    },
    messageBegin(index, itemId) {
      const item: MessageItem = { id: itemId, type: 'message', status: 'in_progress', role: 'assistant', content: [] };
      const place = { item_id: itemId, output_index: index, content_index: 0 };
      return [added(index, item), event('response.content_part.added', { ...place, part: outputText('') })];
    },
    text: (index, itemId, delta) => [
      event('response.output_text.delta', {
        item_id: itemId,
        output_index: index,
        content_index: 0,
        delta,
        logprobs: [],
      }),
    ],
    messageEnd(index, item) {
      const place = { item_id: item.id, output_index: index, content_index: 0 };
      const part = item.content[0] ?? outputText('');
      return [
        event('response.output_text.done', { ...place, text: part.text, logprobs: part.logprobs }),
        event('response.content_part.done', { ...place, part }),
        done(index, item),
      ];
    },
    functionCall(index, item) {
      const place = { item_id: item.id, output_index: index };
      return [
        added(index, { ...item, status: 'in_progress', arguments: '' }),
        event('response.function_call_arguments.delta', { ...place, delta: item.arguments }),
        event('response.function_call_arguments.done', { ...place, name: item.name, arguments: item.arguments }),
        done(index, item),
      ];
    },
    item: (index, item) => [added(index, item), done(index, item)],
    end: (response) => [
      event(response.status === 'incomplete' ? 'response.incomplete' : 'response.completed', { response }),
    ],
  };
}

/** A whole `response` as the events of a stream: for a caller who asked for a stream when the answer is stored already. */
export function responseEvents(responseJson: string): string[] {
  const response = JSON.parse(responseJson) as JsonObject;
  const events = createResponseEvents();
  const output: unknown[] = Array.isArray(response['output']) ? response['output'] : [];
  const head = events.begin(response);
  const items = output.filter(isJsonObject).flatMap((item, index) => {
    if (isPlainMessage(item)) {
      const [part] = item.content;
      const begin = events.messageBegin(index, item.id);
      const text = part === undefined || part.text === '' ? [] : events.text(index, item.id, part.text);
      return [...begin, ...text, ...events.messageEnd(index, item)];
    }
    return isFunctionCall(item) ? events.functionCall(index, item) : events.item(index, item);
  });
  return [...head, ...items, ...events.end(response)];
}

/** One text, as nearly every message has; any other comes as a whole. */
function isPlainMessage(item: JsonObject): item is JsonObject & MessageItem {
  const content = item['content'];
  return (
    item['type'] === 'message' &&
    Array.isArray(content) &&
    content.length <= 1 &&
    content.every((part) => isJsonObject(part) && part['type'] === 'output_text' && typeof part['text'] === 'string')
  );
}

function isFunctionCall(item: JsonObject): item is JsonObject & FunctionCallItem {
  return item['type'] === 'function_call' && typeof item['arguments'] === 'string';
}
