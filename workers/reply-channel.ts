import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { request, type Dispatcher } from 'undici';
import { LINGER_LIMIT_MS } from '../core/contracts/timings.ts';
import type { ReplyHub } from '../core/reply-hub.ts';
import type { Logger } from '../core/log.ts';
import {
  REPLY_PROCESS_HEADER,
  type ReplyAddress,
  type ReplyChannel,
  type ReplyEvent,
  type ReplySink,
} from '../core/reply.ts';

/**
 * How long an activity waits for the api to say that it has all of an answer. It is stored before it is sent, so after this long the
 * api finds it in the database; a connection that is cut without a word would hold the activity for a quarter of an hour. Connecting
 * is given up after as long, by undici.
 */
const CLOSE_LIMIT_MS = 10_000;

/** A sink into nowhere: the answer is stored, and whoever still waits for it reads it there. */
const nobody: ReplySink = {
  send: () => Promise.resolve(false),
  callerGone: new AbortController().signal,
  close: () => Promise.resolve(),
};

/**
 * The worker's way to the callers: directly when the api runs in this process, else as JSON lines over one HTTP request
 * to the api's internal port.
 * @param hub the api's hub where it is in this process
 */
export function createReplyChannel(hub: ReplyHub | undefined, dispatcher: Dispatcher, log: Logger): ReplyChannel {
  return {
    open(requestId, address) {
      if (address.processId === hub?.processId) return hub.connect(requestId, address.token) ?? nobody;
      return openRemote(requestId, address, dispatcher, log);
    },
  };
}

function openRemote(requestId: string, address: ReplyAddress, dispatcher: Dispatcher, log: Logger): ReplySink {
  const body = new PassThrough();
  const gone = new AbortController();
  const cut = new AbortController();
  // The api answers when the caller has all of it, or at once when nobody waits: either way nothing more is wanted.
  const answered = request(new URL(`/internal/replies/${requestId}`, address.url), {
    dispatcher,
    method: 'POST',
    headers: {
      authorization: `Bearer ${address.token}`,
      'content-type': 'application/x-ndjson',
      [REPLY_PROCESS_HEADER]: address.processId,
    },
    body,
    signal: cut.signal,
    headersTimeout: 0,
    bodyTimeout: 0,
  })
    .then(async (response) => {
      await response.body.dump();
      const { statusCode, headers } = response;
      if (statusCode === 204) return;
      // Of the caller nobody knows but the process that holds the connection: a balancer may lead to another, which knows none.
      if (statusCode !== 410 || headers[REPLY_PROCESS_HEADER] !== address.processId) {
        throw new Error(`the address of the api process answered with status ${statusCode}`);
      }
      gone.abort();
    })
    .catch((error: unknown) => {
      log.info({ err: error, requestId }, 'the reply channel was lost; the answer stays in the database');
    })
    .finally(() => body.destroy());
  body.on('error', () => undefined);
  // The headers leave with the first bytes: without an empty line a caller who is gone would be noticed at the first event.
  body.write('\n');
  return {
    callerGone: gone.signal,
    async send(event: ReplyEvent) {
      if (gone.signal.aborted || body.destroyed) return false;
      if (!body.write(`${JSON.stringify(event)}\n`)) {
        await Promise.race([once(body, 'drain').catch(() => undefined), answered]);
      }
      return !gone.signal.aborted;
    },
    async close() {
      body.end();
      const linger = setTimeout(() => cut.abort(), LINGER_LIMIT_MS).unref();
      void answered.then(() => clearTimeout(linger));
      await within(CLOSE_LIMIT_MS, answered);
    },
  };
}

/** Resolves when `over` does, or after a time in milliseconds. */
async function within(limitMs: number, over: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([over, limit]);
  clearTimeout(timer);
}
