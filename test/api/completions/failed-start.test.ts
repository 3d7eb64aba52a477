import type { Client } from '@temporalio/client';
import { MongoServerError } from 'mongodb';
import { describe, expect, it, vi } from 'vitest';
import { CallerGone, createRunCompletion, type CompletionCall } from '../../../api/completions/run-completion.ts';
import { createUnderWay } from '../../../api/under-way.ts';
import { createReplyHub } from '../../../core/reply-hub.ts';
import type { RequestStore } from '../../../store/requests.ts';
import { APP_KEY, createApiWorld } from '../../support/api-world.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { plantLane, silentLog } from '../../support/planted.ts';
import { PATIENT } from '../../support/patience.ts';

/** A Temporal client whose starts fail when the test says so, and that counts what is called off. */
function setUp() {
  const world = { asked: 0, calledOff: 0, start: async (): Promise<void> => undefined, insert: async () => true };
  const client = {
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    workflow: {
      start: () => {
        world.asked += 1;
        return world.start();
      },
      getHandle: () => ({ cancel: async () => void (world.calledOff += 1) }),
    },
  } as unknown as Client;
  const runCompletion = createRunCompletion({
    client,
    eagerStart: true,
    requests: { insertOnce: () => world.insert() } as unknown as RequestStore,
    hub: createReplyHub('proc_1'),
    underWay: createUnderWay(),
    internalUrl: () => 'http://127.0.0.1:1',
    clock: createMovableClock(),
    log: silentLog,
  });
  const caller = new AbortController();
  const run = (given: Partial<CompletionCall> = {}) =>
    runCompletion({
      requestId: 'req_1',
      operation: 'chat',
      keyId: 'key_1',
      model: 'm',
      body: {},
      stream: false,
      plan: [plantLane('a')],
      signal: caller.signal,
      onChunk: async () => true,
      ...given,
    });
  return { world, caller, run };
}

const failStart = (): Promise<void> => Promise.reject(new Error('the connection was lost'));
const overloaded = { errorName: 'server_is_overloaded' };
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

describe('a completion whose start fails', () => {
  it('is called off: the server may have taken it, and nobody would wait for the answer', async () => {
    const { world, run } = setUp();
    world.start = failStart;
    await expect(run()).rejects.toMatchObject(overloaded);
    await settled();
    expect(world.calledOff).toBe(1);
  });

  it('is called off as well when its caller has left before', async () => {
    const { world, caller, run } = setUp();
    let fail: (error: Error) => void = () => undefined;
    world.start = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const running = run().catch((cause: unknown) => cause);
    await vi.waitFor(() => expect(world.asked).toBe(1), PATIENT);
    caller.abort();
    expect(await running).toBeInstanceOf(CallerGone);
    expect(world.calledOff).toBe(0);
    fail(new Error('the connection was lost'));
    await settled();
    expect(world.calledOff).toBe(1);
  });

  it('is left alone where a repeat may ask for its answer', async () => {
    const { world, run } = setUp();
    world.start = failStart;
    await expect(run({ outlivesCaller: true })).rejects.toMatchObject(overloaded);
    await settled();
    expect(world.calledOff).toBe(0);
  });

  it('is nothing to call off where the server was not asked', async () => {
    const { world, run } = setUp();
    world.insert = () => Promise.reject(new Error('the database is away'));
    await expect(run()).rejects.toMatchObject(overloaded);
    await settled();
    expect(world.asked).toBe(0);
    expect(world.calledOff).toBe(0);
  });

  it('is told as what it is when the disk of the database is full', async () => {
    const { world, run } = setUp();
    world.insert = () => Promise.reject(new MongoServerError({ message: 'No space left on device', code: 14_031 }));
    const api = await createApiWorld();
    try {
      api.world.runCompletion = () => run();
      const response = await api.publicApp.inject({
        method: 'POST',
        url: '/v1/chat/completions',
        headers: { authorization: `Bearer ${APP_KEY}` },
        payload: { model: 'm', messages: [{ role: 'user', content: 'x' }] },
      });
      expect(response.statusCode).toBe(507);
      expect(response.headers).toMatchObject({ 'x-should-retry': 'false' });
      expect(response.json()).toMatchObject({ error: { code: 'insufficient_storage' } });
    } finally {
      await api.close();
    }
  });
});
