/** One call as bytes and headers, for what the official client hides. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body where it is JSON; undefined where it is not. */
  readonly json: unknown;
}

export interface WireCall {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text or a form goes out as it is, all else as JSON. */
  readonly body?: unknown;
}

/** Calls an endpoint under one key. */
export function createWire(url: string, key: string) {
  return async function call({ method, path, headers = {}, body }: WireCall): Promise<WireAnswer> {
    const isRaw = typeof body === 'string' || body instanceof FormData || body === undefined;
    const response = await fetch(`${url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: parse(text) };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
