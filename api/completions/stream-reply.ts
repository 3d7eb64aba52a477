import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** After this much silence a comment is sent, so that proxies between do not cut the connection. */
const PING_AFTER_MS = 15_000;

/** A server-sent-events answer. Nothing is sent before the first event, so that an early failure can still be a plain error. */
export interface EventStream {
  readonly started: boolean;
  /** Sends `data: <text>`. Resolves when the connection can take more; false once the caller is gone. */
  send(data: string, headers: Readonly<Record<string, string>>): Promise<boolean>;
  /** Ends the answer; `lastData` is sent before. */
  end(lastData?: string): void;
}

export function createEventStream(reply: FastifyReply, baseHeaders: Readonly<Record<string, string>>): EventStream {
  const raw: ServerResponse = reply.raw;
  let ping: NodeJS.Timeout | undefined;
  const isOpen = (): boolean => !raw.destroyed && !raw.writableEnded;
  const start = (headers: Readonly<Record<string, string>>): void => {
    reply.hijack();
    raw.writeHead(200, {
      ...baseHeaders,
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    ping = setInterval(() => {
      if (isOpen()) raw.write(': ping\n\n');
    }, PING_AFTER_MS);
  };
  return {
    get started() {
      return ping !== undefined;
    },
    async send(data, headers) {
      if (!isOpen()) return false;
      if (ping === undefined) start(headers);
      ping?.refresh();
      if (!raw.write(toEvent(data))) await roomOrEnd(raw);
      return !raw.destroyed;
    },
    end(lastData) {
      clearInterval(ping);
      if (!isOpen()) return;
      if (lastData !== undefined) raw.write(toEvent(lastData));
      raw.end();
    },
  };
}

/** A line break in the data (a provider's indented JSON, say) would end the field: each line is a field of its own. */
function toEvent(data: string): string {
  return `data: ${data.replaceAll(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
}

/** Resolves when the connection takes more or is closed, and leaves no listener behind. */
async function roomOrEnd(raw: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(raw, 'drain', { signal }), once(raw, 'close', { signal })]).catch(() => undefined);
  over.abort();
}
