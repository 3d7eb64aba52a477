import type { LaneCall } from '../../core/lane-port.ts';
import { isJsonObject } from '../../core/wire/json-object.ts';

/**
 * The body for the provider: the caller's with the lane's name of the model. A stream always asks for its usage, so that the cost
 * of every call is known; `stream_options` without a stream is refused by OpenAI, and left out.
 */
export function toProviderBody({ body, model, stream }: Pick<LaneCall, 'body' | 'model' | 'stream'>): string {
  const { stream: _stream, stream_options: streamOptions, ...rest } = body;
  if (!stream) return JSON.stringify({ ...rest, model });
  const options = isJsonObject(streamOptions) ? streamOptions : {};
  return JSON.stringify({ ...rest, model, stream: true, stream_options: { ...options, include_usage: true } });
}

/** True if the caller itself asked for the usage in its stream. */
export function asksForUsage(body: LaneCall['body']): boolean {
  return isJsonObject(body['stream_options']) && body['stream_options']['include_usage'] === true;
}
