import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { Lane } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import { attemptCompletion, operationOf, type SendRequest } from './attempt-completion.ts';
import { createAttemptLimits } from './attempt-limits.ts';
import { parseBaseUrl } from './check-address.ts';
import { createConnectionPool } from './connection-pool.ts';
import { eitherSignal } from '../../core/either-signal.ts';
import { createMissingEndpoints } from './missing-endpoints.ts';
import type { ProviderQuirks } from './presets.ts';
import { createProviderBatches, type ProviderBatches } from './provider-batches.ts';

export interface KeyLaneOptions {
  readonly laneId: string;
  readonly alias: string;
  /** For example https://api.openai.com/v1; the path of the operation (`/chat/completions`) is added, a query is kept. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Further headers that the owner of the lane set. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Header that carries the key. `authorization`, the default, has it as a bearer token; any other has the bare key. */
  readonly authHeader?: string;
  readonly allowPrivateAddresses: boolean;
  /** Where the provider is stricter than OpenAI. */
  readonly quirks?: ProviderQuirks;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A whole file of a batch to the provider or back, at a few MB/s. */
const BATCH_CALL_LIMIT_MS = 10 * 60_000;

export interface KeyLane extends Lane {
  /** The provider's own Batch API, under the same address and key. Not every provider has one. */
  readonly batches: ProviderBatches;
  /** Ends the lane's connections, attempts under way included. */
  close(): Promise<void>;
}

/**
 * A lane over an API key at OpenAI or any OpenAI-compatible address. One attempt a call, no retry, no redirect.
 * @throws ApiError invalid_value for a base URL that may not be used.
 */
export function createKeyLane(options: KeyLaneOptions): KeyLane {
  const url = parseBaseUrl(options.baseUrl, options);
  // A URL without a path has one all the same, a single slash.
  const basePath = url.pathname.replace(/\/$/, '');
  const headers = requestHeaders(options);
  const pool = createConnectionPool(options);
  const missing = createMissingEndpoints(options.clock);
  const log = options.log.child({ laneId: options.laneId, lane: options.alias });
  return {
    complete: async (call) => {
      const limits = createAttemptLimits(call, options.clock);
      try {
        const send: SendRequest = (body, bytes) =>
          pool.request({
            origin: url.origin,
            path: `${basePath}${operationOf(call).path}${url.search}`,
            method: 'POST',
            headers: {
              ...headers,
              accept: call.stream ? 'text/event-stream' : 'application/json',
              'content-length': String(bytes),
            },
            // undici takes iterables as its documentation says; its types for `request` leave them out.
            body: body as unknown as Buffer,
            signal: limits.signal,
          });
        const outcome = await attemptCompletion({
          call,
          limits,
          send,
          quirks: options.quirks ?? {},
          missing,
          clock: options.clock,
        });
        if (!outcome.ok) log.debug({ requestId: call.requestId, failure: outcome.failure }, 'an attempt failed');
        return outcome;
      } finally {
        limits.release();
      }
    },
    batches: createProviderBatches(({ method, path, contentType, body, idempotencyKey, signal }) =>
      pool.request({
        origin: url.origin,
        path: withQuery(`${basePath}${path}`, url.search),
        method,
        headers: {
          ...headers,
          ...(contentType === undefined ? {} : { 'content-type': contentType }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? {} : { body: body as unknown as Buffer }),
        signal: eitherSignal(AbortSignal.timeout(BATCH_CALL_LIMIT_MS), signal),
      }),
    ),
    close: () => pool.destroy(),
  };
}

/** The lane's own query goes along with that of a path. */
function withQuery(path: string, search: string): string {
  return path.includes('?') ? `${path}${search.replace('?', '&')}` : `${path}${search}`;
}

/** The owner's own headers come first, so that none of them can replace what the request needs. */
function requestHeaders({
  headers = {},
  authHeader = 'authorization',
  apiKey,
}: KeyLaneOptions): Record<string, string> {
  const name = authHeader.toLowerCase();
  const own = Object.fromEntries(Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]));
  const all = {
    'user-agent': 'flatlane',
    ...own,
    'content-type': 'application/json',
    // Without it a provider may answer in any coding, one that is not known here too.
    'accept-encoding': 'identity',
    [name]: name === 'authorization' ? `Bearer ${apiKey}` : apiKey,
  };
  for (const value of Object.values(all)) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw new ApiError('invalid_value', 'The key or a header of the lane holds a character that no header can hold.');
    }
  }
  return all;
}
