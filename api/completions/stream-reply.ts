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
  const start = (headers: Readonly<Record<string, string>>): void => {
    reply.hijack();
    raw.writeHead(200, {
      ...baseHeaders,
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    ping = setInterval(() => raw.write(': ping\n\n'), PING_AFTER_MS);
  };
  return {
    get started() {
      return ping !== undefined;
    },
    async send(data, headers) {
      if (raw.destroyed) return false;
      if (ping === undefined) start(headers);
      ping?.refresh();
      if (!raw.write(`data: ${data}\n\n`)) {
        await Promise.race([once(raw, 'drain'), once(raw, 'close')]).catch(() => undefined);
      }
      return !raw.destroyed;
    },
    end(lastData) {
      clearInterval(ping);
      if (lastData !== undefined) raw.write(`data: ${lastData}\n\n`);
      raw.end();
    },
  };
}
