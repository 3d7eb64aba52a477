import { accumulateMessage, type MessageAccumulator } from './accumulate-message.ts';
import { isJsonObject, type JsonObject } from './json-object.ts';

/** Gathers the chunks of a stream into the `chat.completion` that the same call would have given without streaming. */
export interface ChunkAccumulator {
  /** Takes one parsed `chat.completion.chunk`, in the order of arrival. */
  add(chunk: JsonObject): void;
  /** True when there is a choice, and every choice has its `finish_reason`: without one an answer may be cut. */
  isWhole(): boolean;
  /** The last `usage` that was not null; null where none came. */
  usage(): unknown;
  /** The completion so far. Fields that we don't know are kept: the last value that was not null. */
  completion(): JsonObject;
}

interface Choice {
  readonly message: MessageAccumulator;
  readonly logprobs: Map<string, unknown[]>;
  finishReason: string | null;
}

/** Fields of a chunk that are not carried over as they are. */
const OWN_FIELDS = new Set(['object', 'choices', 'usage', 'obfuscation']);

export function createChunkAccumulator(): ChunkAccumulator {
  const fields = new Map<string, unknown>();
  const choices = new Map<number, Choice>();
  let usage: unknown = null;
  return {
    add(chunk) {
      usage = chunk['usage'] ?? usage;
      for (const [name, value] of Object.entries(chunk)) {
        if (!OWN_FIELDS.has(name) && (value ?? null) !== null) fields.set(name, value);
      }
      for (const choice of Array.isArray(chunk['choices']) ? chunk['choices'] : []) {
        if (isJsonObject(choice)) addChoice(choices, choice);
      }
    },
    isWhole: () => choices.size > 0 && [...choices.values()].every((choice) => choice.finishReason !== null),
    usage: () => usage,
    completion: () => ({
      id: null,
      object: 'chat.completion',
      ...Object.fromEntries(fields),
      choices: [...choices].sort(([left], [right]) => left - right).map(([index, choice]) => toWire(index, choice)),
      usage,
    }),
  };
}

function addChoice(choices: Map<number, Choice>, part: JsonObject): void {
  const index = typeof part['index'] === 'number' ? part['index'] : 0;
  let choice = choices.get(index);
  if (choice === undefined) {
    choice = { message: accumulateMessage(), logprobs: new Map(), finishReason: null };
    choices.set(index, choice);
  }
  if (isJsonObject(part['delta'])) choice.message.add(part['delta']);
  if (typeof part['finish_reason'] === 'string') choice.finishReason = part['finish_reason'];
  if (isJsonObject(part['logprobs'])) addLogprobs(choice.logprobs, part['logprobs']);
}

function addLogprobs(gathered: Map<string, unknown[]>, part: JsonObject): void {
  for (const [name, tokens] of Object.entries(part)) {
    if (!Array.isArray(tokens)) continue;
    const sofar = gathered.get(name);
    if (sofar === undefined) gathered.set(name, [...(tokens as unknown[])]);
    else for (const token of tokens as unknown[]) sofar.push(token);
  }
}

function toWire(index: number, choice: Choice): JsonObject {
  const logprobs = { content: null, refusal: null, ...Object.fromEntries(choice.logprobs) };
  return {
    index,
    message: choice.message.message(),
    logprobs: choice.logprobs.size === 0 ? null : logprobs,
    finish_reason: choice.finishReason,
  };
}
