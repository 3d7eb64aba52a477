import { Agent, type Dispatcher } from 'undici';
import { eitherSignal } from '../../core/either-signal.ts';
import { ApiError } from '../../core/errors.ts';
import { AddressRefusedError, createCheckedLookup } from '../openai/check-address.ts';
import { parseWebhookUrl } from './webhook-address.ts';

/** A receiver that has not answered by then is taken as down; the specification proposes 15 to 30 s. */
const WEBHOOK_TIMEOUT_MS = 15_000;

/** A host that takes no connection in this time is down. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Of the answer's body nothing is used; this much is read so that the connection can be kept. */
const READ_OF_BODY_BYTES = 16 * 1024;

/** Connections of one process to one receiver. */
const MAX_CONNECTIONS = 8;

export interface PostWebhook {
  readonly url: string;
  readonly allowPrivateAddresses: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends it when the worker stops. */
  readonly signal?: AbortSignal;
}

export type PostedWebhook =
  | { readonly answered: true; readonly status: number }
  /** `why` is in our own words and holds nothing of the URL or of the answer. */
  | { readonly answered: false; readonly why: string };

export interface WebhookPoster {
  post(wish: PostWebhook): Promise<PostedWebhook>;
  close(): Promise<void>;
}

/**
 * Posts events to receivers. Names are resolved once and what they lead to is checked while connecting, so that a name that leads
 * elsewhere after it was saved gets nowhere; redirects are not followed; the answer's body is thrown away.
 */
export function createWebhookPoster(): WebhookPoster {
  const agentFor = (allowPrivateAddresses: boolean): Agent =>
    new Agent({
      connections: MAX_CONNECTIONS,
      pipelining: 1,
      // One limit covers all of an attempt.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS, lookup: createCheckedLookup({ allowPrivateAddresses }) },
    });
  // Apart, so that a connection to a private address is never there to be used by who may not have it.
  const open = agentFor(true);
  const strict = agentFor(false);

  return {
    async post({ url: text, allowPrivateAddresses, headers, body, signal }) {
      const limit = AbortSignal.timeout(WEBHOOK_TIMEOUT_MS);
      const ends = eitherSignal(limit, signal);
      try {
        // Here once more: a look-up is not made for an address that is written as numbers.
        const url = parseWebhookUrl(text, { allowPrivateAddresses });
        const response = await (allowPrivateAddresses ? open : strict).request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: 'POST',
          headers: { 'user-agent': 'flatlane', 'content-type': 'application/json', ...headers },
          body,
          signal: ends,
        });
        drop(response.body, ends);
        return { answered: true, status: response.statusCode };
      } catch (error) {
        // The worker stops: whoever goes on with the delivery sends it again.
        if (signal?.aborted === true) throw error;
        return {
          answered: false,
          why: limit.aborted ? `no answer within ${WEBHOOK_TIMEOUT_MS / 1000} s` : whyOf(error),
        };
      }
    },
    async close() {
      await Promise.all([open.destroy(), strict.destroy()]);
    },
  };
}

/** The status is the answer. A body that is long or does not end takes its connection with it. */
function drop(body: Dispatcher.ResponseData['body'], signal: AbortSignal): void {
  void body.dump({ limit: READ_OF_BODY_BYTES, signal }).catch(() => undefined);
}

/** Codes of Node and undici that the owner can act on, in our own words. */
const KNOWN_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the receiver refuses the connection',
  ECONNRESET: 'the receiver reset the connection',
  ENOTFOUND: 'the receiver’s host name is not known',
  EAI_AGAIN: 'the name server did not answer',
  UND_ERR_CONNECT_TIMEOUT: 'no connection to the receiver in time',
  UND_ERR_SOCKET: 'the receiver closed the connection',
  CERT_HAS_EXPIRED: 'the receiver’s certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the receiver’s certificate is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'the receiver’s certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the receiver’s certificate is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the receiver’s certificate is for another name',
};

function whyOf(error: unknown): string {
  if (error instanceof AddressRefusedError) return 'the receiver’s address leads into a private network';
  if (error instanceof ApiError) return 'the receiver’s address is not allowed';
  const code = codeOf(error);
  if (code === undefined) return 'the connection to the receiver failed';
  return KNOWN_CODES[code] ?? `the connection to the receiver failed (${code})`;
}

function codeOf(error: unknown): string | undefined {
  // Several addresses were tried: they mostly fail alike, so the first speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}
