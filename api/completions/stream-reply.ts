import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

/** One event: `event:` where it has a name, and `data:`. */
export interface StreamEvent {
  readonly name?: string;
  readonly data: string;
}

/** A server-sent-events answer. Nothing is sent before the first event, so that an early failure can still be a plain error. */
export interface EventStream {
  readonly started: boolean;
  /** Sends an event. Resolves when the connection can take more; false once the caller is gone. */
  send(event: StreamEvent, headers: Readonly<Record<string, string>>): Promise<boolean>;
  /** Ends the answer; `last` is sent before. */
  end(last?: StreamEvent): void;
}

/** @param pingAfterMs after this much silence a comment is sent, so that proxies between do not cut the connection */
export function createEventStream(
  reply: FastifyReply,
  baseHeaders: Readonly<Record<string, string>>,
  pingAfterMs: number,
): EventStream {
  const raw: ServerResponse = reply.raw;
  let ping: NodeJS.Timeout | undefined;
  const isOpen = (): boolean => !raw.destroyed && !raw.writableEnded;
  const start = (headers: Readonly<Record<string, string>>): void => {
    reply.hijack();
    raw.writeHead(200, {
      ...baseHeaders,
      ...headers,
      // To the first byte: what a whole answer says of its end.
      'openai-processing-ms': String(Math.round(reply.elapsedTime)),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    ping = setInterval(() => {
      if (isOpen()) raw.write(': ping\n\n');
    }, pingAfterMs);
  };
  return {
    get started() {
      return ping !== undefined;
    },
    async send(event, headers) {
      if (!isOpen()) return false;
      if (ping === undefined) start(headers);
      ping?.refresh();
      if (!raw.write(toText(event))) await roomOrEnd(raw);
      return !raw.destroyed;
    },
    end(last) {
      clearInterval(ping);
      if (!isOpen()) return;
      if (last !== undefined) raw.write(toText(last));
      raw.end();
    },
  };
}

/** A line break in the data (a provider's indented JSON, say) would end the field: each line is a field of its own. */
function toText({ name, data }: StreamEvent): string {
  return `${name === undefined ? '' : `event: ${name}\n`}data: ${data.replaceAll(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;
}

/** Resolves when the connection takes more or is closed, and leaves no listener behind. */
async function roomOrEnd(raw: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(raw, 'drain', { signal }), once(raw, 'close', { signal })]).catch(() => undefined);
  over.abort();
}
