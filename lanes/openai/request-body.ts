import type { LaneCall } from '../../core/lane-port.ts';
import { isJsonObject } from '../../core/wire/json-object.ts';
import type { ProviderQuirks } from './presets.ts';

/**
 * The body for the provider: the caller's with the lane's name of the model. A stream always asks for its usage, so that the cost
 * of every call is known, but for providers that refuse the question; `stream_options` without a stream is refused by OpenAI,
 * and left out.
 */
export function toProviderBody(
  { body, model, stream }: Pick<LaneCall, 'body' | 'model' | 'stream'>,
  quirks: ProviderQuirks = {},
): string {
  const { stream: _stream, stream_options: streamOptions, ...rest } = body;
  if (!stream) return JSON.stringify({ ...rest, model });
  if (quirks.refusesStreamOptions === true) return JSON.stringify({ ...rest, model, stream: true });
  const options = isJsonObject(streamOptions) ? streamOptions : {};
  return JSON.stringify({ ...rest, model, stream: true, stream_options: { ...options, include_usage: true } });
}

/**
 * The body for a provider's Responses API. Nothing is to be kept there (`store: false`): an id that one lane knows would mean
 * nothing to the next. Reasoning that is not sealed into its item could only be looked up by id, so it is left out, and so are
 * ids that an item can do without.
 */
export function toResponsesBody({ body, model, stream }: Pick<LaneCall, 'body' | 'model' | 'stream'>): string {
  const { stream: _stream, previous_response_id: _previous, conversation: _conversation, input, ...rest } = body;
  const items = Array.isArray(input) ? input.flatMap(withoutId) : input;
  return JSON.stringify({ ...rest, model, input: items, store: false, ...(stream ? { stream: true } : {}) });
}

const WITHOUT_IDS = new Set<unknown>(['message', 'function_call', 'function_call_output']);

function withoutId(item: unknown): unknown[] {
  if (!isJsonObject(item)) return [item];
  if (item['type'] === 'reasoning') return (item['encrypted_content'] ?? null) === null ? [] : [item];
  if (!WITHOUT_IDS.has(item['type'] ?? 'message')) return [item];
  const { id: _id, ...rest } = item;
  return [rest];
}

/** The body for a provider's embeddings: the caller's with the lane's name of the model. */
export function toEmbeddingsBody({ body, model }: Pick<LaneCall, 'body' | 'model'>): string {
  return JSON.stringify({ ...body, model });
}

/** True if the caller itself asked for the usage in its stream. */
export function asksForUsage(body: LaneCall['body']): boolean {
  return isJsonObject(body['stream_options']) && body['stream_options']['include_usage'] === true;
}
