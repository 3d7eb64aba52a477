import { describe, expect, it } from 'vitest';
import { responseEvents } from '../../../core/wire/response-events.ts';

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly delta?: string;
}

const events = (response: object): Event[] =>
  responseEvents(JSON.stringify(response)).map((json) => JSON.parse(json) as Event);
const message = { id: 'msg_1', type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello' }] };
const call = { id: 'fc_1', type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' };
const reasoning = { id: 'rs_1', type: 'reasoning', summary: [] };

describe('responseEvents', () => {
  it('streams a stored response, item by item', () => {
    const response = { id: 'resp_1', status: 'completed', output: [reasoning, message, call], usage: { a: 1 } };
    const streamed = events(response);
    expect(streamed.map(({ type }) => type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(streamed.map((event) => event.sequence_number)).toEqual(streamed.map((_, index) => index));
    expect(streamed.find(({ delta }) => delta !== undefined)?.delta).toBe('Hello');
    expect(streamed[0]).toMatchObject({ response: { id: 'resp_1', status: 'in_progress', output: [], usage: null } });
    expect(streamed.at(-1)).toMatchObject({ response });
  });

  it('ends as incomplete where the response is', () => {
    expect(events({ status: 'incomplete', output: [] }).at(-1)?.type).toBe('response.incomplete');
  });

  it('gives a message of another kind as a whole', () => {
    const refusal = { ...message, content: [{ type: 'refusal', refusal: 'no' }] };
    expect(events({ status: 'completed', output: [refusal] })[2]).toMatchObject({ item: refusal });
  });
});
