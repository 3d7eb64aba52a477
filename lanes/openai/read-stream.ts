import { createChunkAccumulator } from '../../core/wire/accumulate-chunks.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../core/wire/json-object.ts';
import { readMembers, writeMembers } from '../../core/wire/json-text.ts';
import { membersOf } from '../../core/wire/written-text.ts';
import { ANSWER_LIMIT_BYTES, limitBytes } from './bounded-body.ts';
import type { NotWhole } from './read-completion.ts';
import { readServerSentEvents } from './sse-parser.ts';

/** How a stream ended: with the whole answer, or with why it is none. */
export type StreamEnd = { readonly whole: true; readonly completion: JsonObject; readonly usage: unknown } | NotWhole;

export interface StreamReading {
  /** The response's body; ended early, its connection is closed. */
  readonly body: AsyncIterable<Uint8Array>;
  /** True passes the usage on to the caller, as it asked for. */
  readonly passUsage: boolean;
  /** Takes the JSON text of one chunk. The next one is read when the promise resolves. */
  readonly passOn: (chunkJson: string) => Promise<void>;
  /** Called at `[DONE]`: what follows is only the end of the body. */
  readonly ending: () => void;
}

/**
 * Reads a provider's stream of chat completion chunks, passes each on and gathers the whole answer. Chunks without content (the
 * role alone, a filter's result) are held back until there is content: before it another lane can still take over.
 * Errors of the connection and of the stream's form are thrown.
 */
export async function readChatStream({ body, passUsage, passOn, ending }: StreamReading): Promise<StreamEnd> {
  const answer = createChunkAccumulator();
  const held: string[] = [];
  let hasContent = false;
  let done = false;
  try {
    for await (const data of readServerSentEvents(limitBytes(body, ANSWER_LIMIT_BYTES))) {
      if (done) continue;
      if (data === '[DONE]') {
        done = true;
        ending();
        continue;
      }
      const chunk = parseJson(data);
      const problem = problemOf(chunk);
      if (!isJsonObject(chunk) || problem !== null)
        return { whole: false, reason: problem ?? 'a chunk makes no sense' };
      answer.add(chunk);
      const passed = forCaller(chunk, data, passUsage);
      if (passed !== null) held.push(passed);
      hasContent ||= carriesContent(chunk);
      if (!hasContent) continue;
      for (const json of held.splice(0)) await passOn(json);
    }
  } catch (error) {
    // After [DONE] the answer is there; how the connection ends is of no interest.
    if (!done) throw error;
  }
  if (answer.isWhole()) return { whole: true, completion: answer.completion(), usage: answer.usage() };
  return { whole: false, reason: 'the stream ended before the answer did' };
}

function problemOf(chunk: unknown): string | null {
  if (!isJsonObject(chunk)) return 'a chunk is no JSON';
  if ((chunk['error'] ?? null) !== null) return 'the provider sent an error inside the stream';
  if (!Array.isArray(chunk['choices'])) return 'a chunk has no choices';
  const failed = chunk['choices'].some((choice) => isJsonObject(choice) && choice['finish_reason'] === 'error');
  return failed ? 'the provider gave up inside the stream' : null;
}

/** What a caller who did not ask for usage expects: no chunk for it alone, and no field for it. All else is the provider's own text. */
function forCaller(chunk: JsonObject, data: string, passUsage: boolean): string | null {
  if (passUsage || !Object.hasOwn(chunk, 'usage')) return data;
  const { usage, choices } = chunk;
  if (usage !== null && Array.isArray(choices) && choices.length === 0) return null;
  const members = readMembers(data) ?? membersOf(chunk);
  members.delete('usage');
  return writeMembers(members);
}

/** True for anything that a caller would see or count: text, tool calls, reasoning, the end. A role and empty text are not. */
function carriesContent(chunk: JsonObject): boolean {
  const choices: unknown[] = Array.isArray(chunk['choices']) ? chunk['choices'] : [];
  return choices.some((choice) => {
    if (!isJsonObject(choice)) return false;
    if (typeof choice['finish_reason'] === 'string') return true;
    const delta = isJsonObject(choice['delta']) ? choice['delta'] : {};
    return Object.entries(delta).some(
      ([name, value]) =>
        name !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
    );
  });
}
