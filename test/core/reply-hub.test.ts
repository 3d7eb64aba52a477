import { describe, expect, it } from 'vitest';
import { createReplyHub } from '../../core/reply-hub.ts';
import type { ReplyEvent } from '../../core/reply.ts';

const EVENT: ReplyEvent = { type: 'chunk', json: '{}', laneId: 'abc', laneAlias: 'home', attempts: 1 };

/** A hub with one caller that waits under `req_1`, and what has reached it. */
function setUp(takes = true) {
  const hub = createReplyHub('proc_1');
  const received: ReplyEvent[] = [];
  const { token } = hub.expect('req_1', (event) => {
    received.push(event);
    return Promise.resolve(takes);
  });
  return { hub, token, received };
}

describe('the reply hub', () => {
  it('hands events to the caller that waits for them', async () => {
    const { hub, token, received } = setUp();
    const sink = hub.connect('req_1', token)!;
    expect(await sink.send(EVENT)).toBe(true);
    expect(received).toEqual([EVENT]);
    expect(sink.callerGone.aborted).toBe(false);
    await sink.close();
  });

  it('tells the sender that the connection takes no more', async () => {
    const { hub, token } = setUp(false);
    expect(await hub.connect('req_1', token)!.send(EVENT)).toBe(false);
  });

  it('admits nobody with a wrong token, another request or an empty token', () => {
    const { hub, token } = setUp();
    const other = hub.expect('req_2', () => Promise.resolve(true));
    expect(hub.connect('req_1', other.token)).toBeNull();
    expect(hub.connect('req_3', token)).toBeNull();
    expect(hub.connect('req_1', '')).toBeNull();
    expect(hub.connect('req_1', token.slice(1))).toBeNull();
    expect(hub.connect('req_1', token)).not.toBeNull();
  });

  it('tells a sender at once that the caller is gone, and gives it nothing more', async () => {
    const { hub, token, received } = setUp();
    const sink = hub.connect('req_1', token)!;
    hub.forget('req_1');
    expect(sink.callerGone.aborted).toBe(true);
    expect(await sink.send(EVENT)).toBe(false);
    expect(received).toEqual([]);
    expect(hub.connect('req_1', token)).toBeNull();
  });

  it('counts the callers that wait, and forgets twice without harm', () => {
    const { hub } = setUp();
    expect(hub.waiting).toBe(1);
    hub.forget('req_1');
    hub.forget('req_1');
    expect(hub.waiting).toBe(0);
  });
});
