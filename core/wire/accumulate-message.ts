import { isJsonObject, type JsonObject } from './json-object.ts';

/** Gathers the deltas of one choice into its message. */
export interface MessageAccumulator {
  add(delta: JsonObject): void;
  message(): JsonObject;
}

interface ToolCall {
  readonly fields: Map<string, unknown>;
  name: string;
  arguments: string;
}

/** Deltas that are pieces of one text. The last two are what providers of reasoning models use; OpenAI has the first two. */
const TEXT_FIELDS = new Set(['content', 'refusal', 'reasoning_content', 'reasoning']);

export function accumulateMessage(): MessageAccumulator {
  const texts = new Map<string, string>();
  const fields = new Map<string, unknown>();
  const toolCalls = new Map<number, ToolCall>();
  let functionCall: ToolCall | undefined;
  return {
    add(delta) {
      for (const [name, value] of Object.entries(delta)) {
        if ((value ?? null) === null) continue;
        if (TEXT_FIELDS.has(name) && typeof value === 'string') texts.set(name, (texts.get(name) ?? '') + value);
        else if (name === 'tool_calls' && Array.isArray(value)) addToolCalls(toolCalls, value);
        else if (name === 'function_call' && isJsonObject(value)) addFunction((functionCall ??= newCall()), value);
        else fields.set(name, value);
      }
    },
    message: () => ({
      role: 'assistant',
      content: null,
      refusal: null,
      ...Object.fromEntries(fields),
      ...Object.fromEntries(texts),
      ...(toolCalls.size === 0 ? {} : { tool_calls: toolCallsInOrder(toolCalls) }),
      ...(functionCall === undefined
        ? {}
        : { function_call: { name: functionCall.name, arguments: functionCall.arguments } }),
    }),
  };
}

const newCall = (): ToolCall => ({ fields: new Map(), name: '', arguments: '' });

function addToolCalls(toolCalls: Map<number, ToolCall>, parts: readonly unknown[]): void {
  for (const part of parts) {
    if (!isJsonObject(part)) continue;
    const index = indexOfCall(toolCalls, part);
    let call = toolCalls.get(index);
    if (call === undefined) {
      call = newCall();
      toolCalls.set(index, call);
    }
    for (const [name, value] of Object.entries(part)) {
      if (name !== 'index' && name !== 'function' && (value ?? null) !== null) call.fields.set(name, value);
    }
    if (isJsonObject(part['function'])) addFunction(call, part['function']);
  }
}

/** Some providers leave the index out: a part with an id then begins a new call, one without goes on with the last. */
function indexOfCall(toolCalls: ReadonlyMap<number, ToolCall>, part: JsonObject): number {
  if (typeof part['index'] === 'number') return part['index'];
  const last = Math.max(-1, ...toolCalls.keys());
  return typeof part['id'] === 'string' && part['id'] !== '' ? last + 1 : Math.max(0, last);
}

function addFunction(call: ToolCall, part: JsonObject): void {
  if (typeof part['name'] === 'string') call.name += part['name'];
  if (typeof part['arguments'] === 'string') call.arguments += part['arguments'];
}

function toolCallsInOrder(toolCalls: ReadonlyMap<number, ToolCall>): JsonObject[] {
  return [...toolCalls]
    .sort(([left], [right]) => left - right)
    .map(([, call]) => ({
      type: 'function',
      ...Object.fromEntries(call.fields),
      function: { name: call.name, arguments: call.arguments },
    }));
}
