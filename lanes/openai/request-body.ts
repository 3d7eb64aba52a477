import type { LaneCall } from '../../core/lane-port.ts';
import { isJsonObject } from '../../core/wire/json-object.ts';
import { readElements, writeMembers } from '../../core/wire/json-text.ts';
import { keepText, membersOf } from '../../core/wire/written-text.ts';
import type { ProviderQuirks } from './presets.ts';

/**
 * The body for the provider: the caller's, as it was written, with the lane's name of the model. A stream always asks for its
 * usage, so that the cost of every call is known, but for providers that refuse the question; `stream_options` without a stream
 * is refused by OpenAI, and left out.
 */
export function toProviderBody(
  { body, model, stream }: Pick<LaneCall, 'body' | 'model' | 'stream'>,
  quirks: ProviderQuirks = {},
): string {
  const members = withModel(body, model);
  if (stream) members.set('stream', 'true');
  const writtenOptions = members.get('stream_options');
  members.delete('stream_options');
  if (stream && quirks.refusesStreamOptions !== true) {
    const { stream_options: given } = body;
    const options = membersOf(keepText(isJsonObject(given) ? { ...given } : {}, writtenOptions));
    members.set('stream_options', writeMembers(options.set('include_usage', 'true')));
  }
  return writeMembers(members);
}

/**
 * The body for a provider's Responses API. Nothing is to be kept there (`store: false`): an id that one lane knows would mean
 * nothing to the next. Reasoning that is not sealed into its item could only be looked up by id, so it is left out, and so are
 * ids that an item can do without.
 */
export function toResponsesBody({ body, model, stream }: Pick<LaneCall, 'body' | 'model' | 'stream'>): string {
  const members = withModel(body, model);
  if (stream) members.set('stream', 'true');
  members.delete('previous_response_id');
  members.delete('conversation');
  members.set('store', 'false');
  const { input } = body;
  const written = members.get('input');
  if (Array.isArray(input) && written !== undefined) members.set('input', withoutIds(input, written));
  return writeMembers(members);
}

const WITHOUT_IDS = new Set<unknown>(['message', 'function_call', 'function_call_output']);

/** @param written the same items as text */
function withoutIds(items: readonly unknown[], written: string): string {
  const texts = readElements(written);
  if (texts?.length !== items.length) throw new Error('the input and its text are not the same');
  const left = items.flatMap((item, index) => withoutId(item, texts[index] ?? 'null'));
  return `[${left.join(',')}]`;
}

function withoutId(item: unknown, written: string): string[] {
  if (!isJsonObject(item)) return [written];
  if (item['type'] === 'reasoning') return (item['encrypted_content'] ?? null) === null ? [] : [written];
  if (item['id'] === undefined || !WITHOUT_IDS.has(item['type'] ?? 'message')) return [written];
  const members = membersOf(keepText({ ...item }, written));
  members.delete('id');
  return [writeMembers(members)];
}

/** The body for a provider's embeddings: the caller's with the lane's name of the model. */
export function toEmbeddingsBody({ body, model }: Pick<LaneCall, 'body' | 'model'>): string {
  return writeMembers(withModel(body, model));
}

/**
 * The body of a line for a provider's Batch API, on the line that it is part of: in valid JSON a line break can only be
 * white space between tokens.
 */
export function toBatchBody({ body, model }: Pick<LaneCall, 'body' | 'model'>): string {
  return writeMembers(withModel(body, model)).replaceAll(/[\r\n]+/g, ' ');
}

/** The members of the caller's body under the lane's name of the model, without its word on streaming: the call has that. */
function withModel(body: LaneCall['body'], model: string): Map<string, string> {
  const members = membersOf(body).set('model', JSON.stringify(model));
  members.delete('stream');
  return members;
}

/** True if the caller itself asked for the usage in its stream. */
export function asksForUsage(body: LaneCall['body']): boolean {
  return isJsonObject(body['stream_options']) && body['stream_options']['include_usage'] === true;
}
