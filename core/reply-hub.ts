import { timingSafeEqual } from 'node:crypto';
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
  /** The sending end, or null when nobody waits under this id with this token. */
  connect(requestId: string, token: string): ReplySink | null;
  /** Callers that wait at the moment. */
  readonly waiting: number;
}

interface Waiter {
  readonly token: string;
  readonly receive: ReplyReceiver;
  readonly gone: AbortController;
}

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
      return {
        callerGone: waiter.gone.signal,
        send: async (event) => {
          if (waiter.gone.signal.aborted) return false;
          return waiter.receive(event);
        },
        close: () => Promise.resolve(),
      };
    },
  };
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}
