import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LINGER_LIMIT_MS } from '../../../core/contracts/timings.ts';
import type { ReplyEvent } from '../../../core/reply.ts';
import { createCompletionWorld, DONE, OUTCOME, STORED } from '../../support/completion-world.ts';

vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => globalThis.setTimeout(resolve, ms)),
}));
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('a caller who reads slowly', () => {
  const chunk: ReplyEvent = { type: 'chunk', json: '1', laneId: 'a', laneAlias: 'home', attempts: 1 };
  const streamed: ReplyEvent = { ...DONE, body: null };

  /** A stream whose workflow is over, and whose caller takes a chunk whenever the test lets it. */
  async function setUpSlow() {
    const parts = createCompletionWorld();
    parts.world.result = async () => OUTCOME;
    parts.world.stored = STORED;
    const waiting: (() => void)[] = [];
    const onChunk = (): Promise<boolean> => new Promise((resolve) => waiting.push(() => resolve(true)));
    const ends: unknown[] = [];
    parts.run({ onChunk }).then(
      (end) => ends.push(end),
      (error: unknown) => ends.push(error),
    );
    await parts.turn();
    return { ...parts, ends, take: () => waiting.shift()?.() };
  }

  it('has the whole answer over the channel, however long the workflow has been over', async () => {
    const { ends, sink, take, turn } = await setUpSlow();
    const worker = sink();
    for (let sent = 0; sent < 4; sent += 1) {
      const sending = worker.send(chunk);
      await turn(60_000);
      expect(ends).toEqual([]);
      take();
      await sending;
    }
    await worker.send(streamed);
    await turn();
    expect(ends).toEqual([streamed]);
  });

  it('is told that the answer broke off when the channel brings nothing more', async () => {
    const { hub, ends, sink, take, turn } = await setUpSlow();
    const sending = sink().send(chunk);
    await turn(60_000);
    take();
    await sending;
    await turn(10_000);
    expect(ends).toMatchObject([{ type: 'done', body: '{"answer":2}' }]);
    expect(hub.waiting).toBe(0);
  });

  it('is not waited for without end', async () => {
    const { hub, ends, sink, take, turn } = await setUpSlow();
    const sending = sink().send(chunk);
    await turn(5_000 + LINGER_LIMIT_MS - 1);
    expect(ends).toEqual([]);
    await turn(1);
    expect(ends).toMatchObject([{ type: 'done', body: '{"answer":2}' }]);
    expect(hub.waiting).toBe(0);
    take();
    await sending;
  });

  it('has an answer of which nothing was streamed at once from the database', async () => {
    const { ends, turn } = await setUpSlow();
    await turn(5_000);
    expect(ends).toMatchObject([{ type: 'done', body: '{"answer":2}' }]);
  });
});
