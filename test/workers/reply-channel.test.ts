import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Agent } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createInternalApp } from '../../api/internal-app.ts';
import { createReplyHub } from '../../core/reply-hub.ts';
import type { ReplyEvent, ReplySink } from '../../core/reply.ts';
import { createReplyChannel } from '../../workers/reply-channel.ts';
import { keptLog, silentLog } from '../support/planted.ts';
import { PATIENT } from '../support/patience.ts';

const chunk = (json = '{}'): ReplyEvent => ({ type: 'chunk', json, laneId: 'a', laneAlias: 'a', attempts: 1 });
const done: ReplyEvent = {
  type: 'done',
  body: '{}',
  meta: { laneId: 'a', laneAlias: 'a', attempts: 1, costMicros: 0, meterMicros: null, ignoredParams: [] },
};
const gone = (sink: ReplySink): Promise<void> => vi.waitFor(() => expect(sink.callerGone.aborted).toBe(true), PATIENT);

let dispatcher: Agent;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  dispatcher = new Agent();
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  await dispatcher.destroy();
});

/** An api process with one waiting caller, reached over its internal port. */
async function setUpRemote(receive: (event: ReplyEvent) => Promise<boolean> = async () => true) {
  const hub = createReplyHub('proc_api');
  const app = createInternalApp(hub, silentLog);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  closing.push(() => app.close());
  const received: ReplyEvent[] = [];
  const { token } = hub.expect('req_1', (event) => {
    received.push(event);
    return receive(event);
  });
  closing.push(async () => hub.forget('req_1'));
  const channel = createReplyChannel(undefined, dispatcher, silentLog);
  const open = (given: { token?: string; requestId?: string } = {}): ReplySink =>
    channel.open(given.requestId ?? 'req_1', { processId: 'proc_api', url, token: given.token ?? token });
  return { hub, open, received };
}

describe('the reply channel to an api in the same process', () => {
  it('goes straight to the hub', async () => {
    const hub = createReplyHub('proc_here');
    const received: ReplyEvent[] = [];
    const { token } = hub.expect('req_1', async (event) => received.push(event) > 0);
    const channel = createReplyChannel(hub, dispatcher, silentLog);
    const sink = channel.open('req_1', { processId: 'proc_here', url: 'http://unused.invalid', token });
    expect(await sink.send(done)).toBe(true);
    expect(received).toEqual([done]);
    hub.forget('req_1');
    expect(sink.callerGone.aborted).toBe(true);
  });

  it('goes nowhere when nobody waits, and lets the work go on', async () => {
    const channel = createReplyChannel(createReplyHub('proc_here'), dispatcher, silentLog);
    const sink = channel.open('req_1', { processId: 'proc_here', url: 'http://unused.invalid', token: 'x' });
    expect(await sink.send(done)).toBe(false);
    expect(sink.callerGone.aborted).toBe(false);
    await sink.close();
  });
});

describe('the reply channel to an api in another process', () => {
  it('delivers events in order and is over when the last is taken', async () => {
    const { open, received } = await setUpRemote();
    const sink = open();
    const sent = [chunk('{"n":1}'), chunk('{"n":2,"text":"ä\\n"}'), done];
    for (const event of sent) expect(await sink.send(event)).toBe(true);
    await sink.close();
    expect(received).toEqual(sent);
    expect(sink.callerGone.aborted).toBe(false);
  });

  it('closes without an event: the next attempt opens it again', async () => {
    const { open, received } = await setUpRemote();
    const first = open();
    await first.close();
    expect(first.callerGone.aborted).toBe(false);
    const second = open();
    await second.send(done);
    await second.close();
    expect(received).toEqual([done]);
  });

  it('holds the sender up while the caller’s connection takes no more', async () => {
    let takes: () => void = () => undefined;
    const full = new Promise<void>((resolve) => {
      takes = resolve;
    });
    const { open, received } = await setUpRemote(async () => {
      await full;
      return true;
    });
    const sink = open();
    let sent = 0;
    const sending = (async () => {
      for (; sent < 400; sent += 1) await sink.send(chunk('x'.repeat(64 * 1024)));
    })();
    await vi.waitFor(() => expect(received).toHaveLength(1), PATIENT);
    let before = -1;
    // Until nothing moves any more: the buffers between are full.
    while (before !== sent) {
      before = sent;
      await sleep(300);
    }
    expect(sent).toBeLessThan(400);
    expect(received).toHaveLength(1);
    takes();
    await sending;
    await sink.close();
    expect(received).toHaveLength(400);
  });

  it('tells the sender that the caller is gone, also between events', async () => {
    const { hub, open } = await setUpRemote();
    const sink = open();
    await sink.send(chunk());
    hub.forget('req_1');
    await gone(sink);
    expect(await sink.send(chunk())).toBe(false);
    await sink.close();
  });

  it.each([{ token: 'wrong' }, { requestId: 'req_2' }])('is refused with %o', async (given) => {
    const { open, received } = await setUpRemote();
    const sink = open(given);
    await gone(sink);
    expect(await sink.send(done)).toBe(false);
    await sink.close();
    expect(received).toEqual([]);
  });

  it('stops the sender when the caller takes nothing more', async () => {
    const { open } = await setUpRemote(async () => false);
    const sink = open();
    await sink.send(chunk());
    await gone(sink);
    await sink.close();
  });
});

describe('an address that leads to another api process', () => {
  it('is no sign that the caller is gone: the answer stays in the database', async () => {
    const { hub, received } = await setUpRemote();
    const elsewhere = createInternalApp(createReplyHub('proc_other'), silentLog);
    const url = await elsewhere.listen({ host: '127.0.0.1', port: 0 });
    closing.push(() => elsewhere.close());
    const { log, lines } = keptLog();
    const sink = createReplyChannel(undefined, dispatcher, log).open('req_1', {
      processId: hub.processId,
      url,
      token: 'x',
    });
    await vi.waitFor(() => expect(lines.join('')).toContain('the reply channel was lost'), PATIENT);
    expect(await sink.send(done)).toBe(false);
    await sink.close();
    expect(sink.callerGone.aborted).toBe(false);
    expect(received).toEqual([]);
  });

  it('is refused by that process with 421, also with the right token', async () => {
    const hub = createReplyHub('proc_other');
    const app = createInternalApp(hub, silentLog);
    closing.push(() => app.close());
    const { token } = hub.expect('req_1', async () => true);
    closing.push(async () => hub.forget('req_1'));
    const post = (processId?: string) =>
      app.inject({
        method: 'POST',
        url: '/internal/replies/req_1',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/x-ndjson',
          ...(processId === undefined ? {} : { 'x-flatlane-process': processId }),
        },
        payload: '\n',
      });
    expect((await post('proc_api')).statusCode).toBe(421);
    expect((await post('proc_other')).statusCode).toBe(204);
    // A worker of an earlier version names none.
    expect((await post()).statusCode).toBe(204);
  });
});

describe('a reply channel that is lost', () => {
  async function listen(server: Server): Promise<string> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('lets the work go on: the answer is stored, and nobody says that the caller is gone', async () => {
    const server = createServer((request) => request.once('data', () => request.socket.destroy()));
    const url = await listen(server);
    const { log, lines } = keptLog();
    const sink = createReplyChannel(undefined, dispatcher, log).open('req_1', { processId: 'p', url, token: 't' });
    await sink.send(chunk());
    await vi.waitFor(() => expect(lines.join('')).toContain('the reply channel was lost'), PATIENT);
    expect(await sink.send(chunk())).toBe(false);
    await sink.close();
    expect(sink.callerGone.aborted).toBe(false);
  });

  it.each([410, 404, 502])('takes a %i of somebody else for no word of the caller', async (status) => {
    const url = await listen(createServer((_request, response) => response.writeHead(status).end()));
    const { log, lines } = keptLog();
    const sink = createReplyChannel(undefined, dispatcher, log).open('req_1', { processId: 'p', url, token: 't' });
    await vi.waitFor(() => expect(lines.join('')).toContain('the reply channel was lost'), PATIENT);
    await sink.close();
    expect(sink.callerGone.aborted).toBe(false);
  });

  it('holds nobody up for more than ten seconds when the other side says nothing any more', async () => {
    let connected = 0;
    const url = await listen(createServer(() => (connected += 1)));
    const sink = createReplyChannel(undefined, dispatcher, silentLog).open('req_1', {
      processId: 'p',
      url,
      token: 't',
    });
    expect(await sink.send(done)).toBe(true);
    await vi.waitFor(() => expect(connected).toBe(1), PATIENT);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      let isClosed = false;
      const closed = sink.close().then(() => (isClosed = true));
      await vi.advanceTimersByTimeAsync(9_999);
      expect(isClosed).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      await closed;
    } finally {
      vi.useRealTimers();
    }
    expect(sink.callerGone.aborted).toBe(false);
    await dispatcher.destroy();
  });

  it('does the same when nobody listens', async () => {
    const server = createServer();
    const url = await listen(server);
    await closing.pop()?.();
    const { log, lines } = keptLog();
    const sink = createReplyChannel(undefined, dispatcher, log).open('req_1', { processId: 'p', url, token: 't' });
    await sink.close();
    expect(await sink.send(done)).toBe(false);
    expect(sink.callerGone.aborted).toBe(false);
    expect(lines.join('')).toContain('the reply channel was lost');
  });
});
