/** A streamed answer as it came over the wire, comments included. */
export interface RawStream {
  readonly status: number;
  readonly requestId: string;
  readonly lane: string | null;
  readonly attempts: string | null;
  /** The data of each event, in order; `[DONE]` and errors included. */
  readonly events: readonly string[];
  readonly pings: number;
  /** The deltas of the answer's text, in order. */
  readonly texts: readonly string[];
  /** The whole body where it was no stream. */
  readonly body: string;
}

interface StreamedChunk {
  readonly id?: string;
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
}

interface Endpoint {
  readonly url: string;
  readonly key: string;
}

/** Sends a chat completion with `stream: true`. */
export function openStream(
  { url, key }: Endpoint,
  model: string,
  content: string,
  more: { readonly includeUsage?: boolean; readonly signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content }],
      stream: true,
      ...(more.includeUsage === true ? { stream_options: { include_usage: true } } : {}),
    }),
    ...(more.signal === undefined ? {} : { signal: more.signal }),
  });
}

/** Reads a stream to its end. */
export async function readStream(response: Response): Promise<RawStream> {
  const body = await response.text();
  const frames = body.split('\n\n').filter((frame) => frame !== '');
  const events = frames.flatMap((frame) => (frame.startsWith('data: ') ? [frame.slice('data: '.length)] : []));
  const { headers, status } = response;
  return {
    status,
    requestId: headers.get('x-request-id') ?? '',
    lane: headers.get('x-flatlane-lane'),
    attempts: headers.get('x-flatlane-attempts'),
    events,
    pings: frames.filter((frame) => frame === ': ping').length,
    texts: chunksOf(events).flatMap(({ choices }) => choices?.[0]?.delta?.content || []),
    body,
  };
}

/** The chunks among the events. */
export function chunksOf(events: readonly string[]): StreamedChunk[] {
  return events
    .filter((event) => event !== '[DONE]')
    .map((event) => JSON.parse(event) as StreamedChunk & { readonly error?: unknown })
    .filter((event) => event.error === undefined);
}
