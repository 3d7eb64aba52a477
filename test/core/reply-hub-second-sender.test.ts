import { describe, expect, it } from 'vitest';
import { createReplyHub } from '../../core/reply-hub.ts';
import type { ReplyEvent } from '../../core/reply.ts';

const chunk = (json: string): ReplyEvent => ({ type: 'chunk', json, laneId: 'a', laneAlias: 'a', attempts: 2 });
const done: ReplyEvent = {
  type: 'done',
  body: null,
  meta: { laneId: 'a', laneAlias: 'a', attempts: 2, costMicros: 0, meterMicros: null, ignoredParams: [] },
};
const failed: ReplyEvent = { type: 'failed', status: 429, body: '{}', attempts: 2 };

function setUp() {
  const hub = createReplyHub('proc_1');
  const received: ReplyEvent[] = [];
  const { token } = hub.expect('req_1', (event) => {
    received.push(event);
    return Promise.resolve(true);
  });
  const connect = () => hub.connect('req_1', token)!;
  return { received, connect };
}

/** A worker died in the middle of a stream, and Temporal gave the attempt to another one. */
describe('a second sender of one request', () => {
  it.each([chunk('from the beginning'), done])(
    'ends the answer as broken after chunks of the first ($type)',
    async (event) => {
      const { received, connect } = setUp();
      await connect().send(chunk('a part'));
      expect(await connect().send(event)).toBe(false);
      expect(received.map(({ type }) => type)).toEqual(['chunk', 'failed']);
      expect(received[1]).toMatchObject({ status: 502, attempts: 2 });
      expect(JSON.parse((received[1] as { body: string }).body)).toMatchObject({ error: { type: 'server_error' } });
    },
  );

  it('may tell that the request has failed', async () => {
    const { received, connect } = setUp();
    await connect().send(chunk('a part'));
    expect(await connect().send(failed)).toBe(true);
    expect(received[1]).toBe(failed);
  });

  it('may answer while the first has sent nothing', async () => {
    const { received, connect } = setUp();
    connect();
    const second = connect();
    expect(await second.send(chunk('one'))).toBe(true);
    expect(await second.send(chunk('two'))).toBe(true);
    expect(await second.send(done)).toBe(true);
    expect(received).toHaveLength(3);
  });
});
