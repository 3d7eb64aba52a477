import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallerGone } from '../../../api/completions/run-completion.ts';
import { keepText } from '../../../core/wire/written-text.ts';
import { createCompletionWorld, DONE, OUTCOME, STORED } from '../../support/completion-world.ts';

vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise((resolve) => globalThis.setTimeout(resolve, ms)),
}));
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('a completion as a workflow', () => {
  it('stores the body before it starts, and keeps it out of the workflow', async () => {
    const { docs, world, run, sink, turn } = createCompletionWorld();
    world.start = async () => expect(docs.has('req_1')).toBe(true);
    const running = run({ body: { secret: 'prompt' } });
    await turn();
    expect(docs.get('req_1')).toMatchObject({ keyId: 'key_1', body: '{"secret":"prompt"}', result: null });
    expect(world.started[0]).toMatchObject({ workflowId: 'completion/req_1', args: [{ requestId: 'req_1' }] });
    expect(JSON.stringify(world.started)).not.toMatch(/prompt|token/);
    await sink().send(DONE);
    await running;
  });

  it('stores the body as its caller wrote it', async () => {
    const { docs, run, sink, turn } = createCompletionWorld();
    const written = '{"n": 12345678901234567890, "10":1}';
    const running = run({ body: keepText(JSON.parse(written) as object, written) });
    await turn();
    expect(docs.get('req_1')?.body).toBe(written);
    await sink().send(DONE);
    await running;
  });

  it('refuses a body that no document can hold, and starts nothing', async () => {
    const { docs, world, run } = createCompletionWorld();
    // Twelve megabytes as they came: each number is written out in full.
    const body = { numbers: Array<number>(800_000).fill(1e20) };
    await expect(run({ body })).rejects.toMatchObject({ errorName: 'request_too_large' });
    expect(docs.size).toBe(0);
    expect(world.started).toEqual([]);
  });

  it('passes chunks on and ends with what the channel says', async () => {
    const { hub, world, chunks, run, sink, turn } = createCompletionWorld();
    const running = run();
    await turn();
    await sink().send({ type: 'chunk', json: '1', laneId: 'a', laneAlias: 'home', attempts: 1 });
    const last = sink();
    expect(await last.send({ type: 'failed', status: 429, body: '{}', attempts: 1 })).toBe(true);
    expect(await running).toMatchObject({ type: 'failed', status: 429 });
    expect(chunks).toEqual(['1']);
    expect(hub.waiting).toBe(0);
    expect(last.callerGone.aborted).toBe(true);
    await turn(60_000);
    expect(world.watches).toBe(0);
    expect(world.cancelled).toBe(0);
  });

  it('leaves no watch behind when the answer is there before the start is acknowledged', async () => {
    const { world, run, sink, turn } = createCompletionWorld();
    let acknowledge: () => void = () => undefined;
    world.start = () =>
      new Promise((resolve) => {
        acknowledge = resolve;
      });
    const running = run();
    await turn();
    await sink().send(DONE);
    expect(await running).toBe(DONE);
    acknowledge();
    await turn(60_000);
    expect(world.watches).toBe(0);
  });

  it('is refused as overloaded when it can’t be started, and nobody waits any more', async () => {
    const { hub, world, run } = createCompletionWorld();
    world.start = () => Promise.reject(new Error('Temporal is away'));
    await expect(run()).rejects.toMatchObject({ errorName: 'server_is_overloaded', retryAfterMs: 1_000 });
    expect(hub.waiting).toBe(0);
  });
});

describe('a silent reply channel', () => {
  it('gives way to the workflow and the database', async () => {
    const { world, run, turn } = createCompletionWorld();
    world.result = async () => OUTCOME;
    world.stored = STORED;
    const running = run();
    await turn(4_999);
    expect(world.watches).toBe(0);
    await turn(1);
    expect(await running).toEqual({
      type: 'done',
      body: '{"answer":2}',
      meta: { laneId: 'a', laneAlias: 'a', attempts: 2, costMicros: null, meterMicros: null, ignoredParams: [] },
    });
  });

  it.each([
    { status: 429, body: '{"error":1}', laneId: null, at: 1 },
    { status: 400, body: '{"error":2}', laneId: 'a', at: 1 },
  ])('gives a stored failure as it is: $status', async (result) => {
    const { world, run, turn } = createCompletionWorld();
    world.result = async () => OUTCOME;
    world.stored = result;
    const running = run();
    await turn(5_000);
    expect(await running).toEqual({ type: 'failed', status: result.status, body: result.body, attempts: 2 });
  });

  it('says of a stored failure when to try again, counted from now', async () => {
    const { clock, world, run, turn } = createCompletionWorld();
    world.result = async () => OUTCOME;
    const at = clock.now() - 1_000;
    world.stored = { status: 429, body: '{"error":1}', laneId: null, at, retryAfterMs: 60_000, shouldRetry: false };
    const running = run();
    await turn(5_000);
    expect(await running).toMatchObject({ type: 'failed', retryAfterMs: 59_000, shouldRetry: false });
  });

  it('loses to the channel when that speaks after all', async () => {
    const { run, sink, turn } = createCompletionWorld();
    const running = run();
    await turn(30_000);
    await sink().send(DONE);
    expect(await running).toBe(DONE);
  });

  it('goes on through an outage of Temporal or of the database', async () => {
    const { world, run, turn } = createCompletionWorld();
    world.stored = STORED;
    let outages = 3;
    world.result = async () => {
      outages -= 1;
      if (outages >= 1) throw new Error('UNAVAILABLE');
      return OUTCOME;
    };
    world.find = async () => {
      outages -= 1;
      if (outages >= -1) throw new Error('no server');
    };
    const running = run();
    await turn(5_000 + 4_000);
    expect(await running).toMatchObject({ type: 'done' });
    expect(world.watches).toBe(4);
  });

  it.each([
    new WorkflowFailedError('timed out', undefined, 'TIMEOUT'),
    new WorkflowNotFoundError('gone', 'completion/req_1', undefined),
  ])('ends with an error when the workflow has none: $name', async (failure) => {
    const { hub, world, run, turn } = createCompletionWorld();
    world.result = () => Promise.reject(failure);
    const running = run().catch((cause: unknown) => cause);
    await turn(5_000);
    expect(await running).toBe(failure);
    expect(hub.waiting).toBe(0);
  });

  it('ends with an error when the workflow is over and there is no result', async () => {
    const { world, run, turn } = createCompletionWorld();
    world.result = async () => OUTCOME;
    const running = run().catch((cause: unknown) => cause);
    await turn(5_000);
    expect(await running).toMatchObject({ errorName: 'internal' });
  });
});

describe('a caller who goes away', () => {
  it('cancels the workflow and is forgotten', async () => {
    const { hub, world, caller, run, sink, turn } = createCompletionWorld();
    const running = run().catch((cause: unknown) => cause);
    await turn();
    const worker = sink();
    caller.abort();
    expect(await running).toBeInstanceOf(CallerGone);
    await turn();
    expect(world.cancelled).toBe(1);
    expect(worker.callerGone.aborted).toBe(true);
    expect(hub.waiting).toBe(0);
  });

  it('has the workflow cancelled as soon as it is started, not before', async () => {
    const { world, caller, run, turn } = createCompletionWorld();
    let acknowledge: () => void = () => undefined;
    world.start = () =>
      new Promise((resolve) => {
        acknowledge = resolve;
      });
    const running = run().catch((cause: unknown) => cause);
    await turn();
    caller.abort();
    expect(await running).toBeInstanceOf(CallerGone);
    await turn();
    expect(world.cancelled).toBe(0);
    acknowledge();
    await turn(60_000);
    expect(world.cancelled).toBe(1);
    expect(world.watches).toBe(0);
  });

  it('leaves the cancelling to those who wait for what is under way', async () => {
    const { world, caller, underWay, run, turn } = createCompletionWorld();
    let cancelled: () => void = () => undefined;
    world.cancel = () =>
      new Promise((resolve) => {
        cancelled = resolve;
      });
    const running = run().catch((cause: unknown) => cause);
    await turn();
    caller.abort();
    await running;
    let isSettled = false;
    const settled = underWay.settled().then(() => (isSettled = true));
    await turn();
    expect(isSettled).toBe(false);
    cancelled();
    await settled;
    expect(world.cancelled).toBe(1);
  });

  it('starts nothing when gone already', async () => {
    const { docs, world, caller, run, turn } = createCompletionWorld();
    caller.abort();
    await expect(run()).rejects.toBeInstanceOf(CallerGone);
    await turn(60_000);
    expect(docs.size).toBe(0);
    expect(world.started).toEqual([]);
  });
});
