import { timingSafeEqual } from 'node:crypto';
import { ApiError } from './errors.ts';
import { newToken } from './ids.ts';
import type { ReplyEvent, ReplySink } from './reply.ts';

/** A caller that waits: takes events one at a time, false once the connection is gone. */
export type ReplyReceiver = (event: ReplyEvent) => Promise<boolean>;

/** The callers that wait in this process, by request id. Shared by the api and, where it is the same process, by the worker. */
export interface ReplyHub {
  readonly processId: string;
  /** Announces a caller. The token admits one sender of this request's events. */
  expect(requestId: string, receive: ReplyReceiver): { readonly token: string };
  /** The caller is gone or answered: senders learn it by `callerGone`. */
  forget(requestId: string): void;
  /**
   * The sending end, or null when nobody waits under this id with this token. A request may have several one after the
   * other, one an attempt; once one has sent a chunk, an answer of another ends as a failure.
   */
  connect(requestId: string, token: string): ReplySink | null;
  /** Callers that wait at the moment. */
  readonly waiting: number;
}

interface Waiter {
  readonly token: string;
  readonly receive: ReplyReceiver;
  readonly gone: AbortController;
  /** The sending end whose chunks the caller has had. */
  answeredBy?: ReplySink;
}

/** What the caller gets when the worker that streamed to it was lost and another one begins anew. */
const BROKE_OFF = JSON.stringify(new ApiError('upstream_broken', 'The answer broke off. Send the request again.').body);

export function createReplyHub(processId: string): ReplyHub {
  const waiters = new Map<string, Waiter>();
  return {
    processId,
    get waiting() {
      return waiters.size;
    },
    expect(requestId, receive) {
      const token = newToken();
      waiters.set(requestId, { token, receive, gone: new AbortController() });
      return { token };
    },
    forget(requestId) {
      waiters.get(requestId)?.gone.abort();
      waiters.delete(requestId);
    },
    connect(requestId, token) {
      const waiter = waiters.get(requestId);
      if (waiter === undefined || !sameText(waiter.token, token)) return null;
      const sink: ReplySink = {
        callerGone: waiter.gone.signal,
        send: async (event) => {
          if (waiter.gone.signal.aborted) return false;
          // A caller that has a part of one answer must not get the beginning of another behind it.
          if (waiter.answeredBy !== undefined && waiter.answeredBy !== sink && event.type !== 'failed') {
            await waiter.receive({ type: 'failed', status: 502, body: BROKE_OFF, attempts: attemptsOf(event) });
            return false;
          }
          if (event.type === 'chunk') waiter.answeredBy = sink;
          return waiter.receive(event);
        },
        close: () => Promise.resolve(),
      };
      return sink;
    },
  };
}

function attemptsOf(event: Exclude<ReplyEvent, { type: 'failed' }>): number {
  return event.type === 'chunk' ? event.attempts : event.meta.attempts;
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
