import type { Client } from '@temporalio/client';
import { expect, vi } from 'vitest';
import { createRunCompletion, type CompletionCall } from '../../api/completions/run-completion.ts';
import { createUnderWay } from '../../api/under-way.ts';
import { createReplyHub } from '../../core/reply-hub.ts';
import type { ReplyEvent, ReplySink } from '../../core/reply.ts';
import type { RequestDoc, RequestResult, RequestStore } from '../../store/requests.ts';
import { createMovableClock } from './movable-clock.ts';
import { plantLane, silentLog } from './planted.ts';

const meta = { laneId: 'a', laneAlias: 'home', attempts: 1, costMicros: 0, meterMicros: 5, ignoredParams: [] };
export const DONE = { type: 'done', body: '{"answer":1}', meta } as const satisfies ReplyEvent;
export const STORED: RequestResult = { status: 200, body: '{"answer":2}', laneId: 'a', at: 1 };
export const OUTCOME = { answered: true, laneId: 'a', attempts: [{}, {}] };

/** Completions over a Temporal client and a request store in the test's hand. Its `turn` moves timers that are replaced. */
export function createCompletionWorld() {
  const clock = createMovableClock();
  const hub = createReplyHub('proc_1');
  const underWay = createUnderWay();
  const docs = new Map<string, RequestDoc>();
  const world = {
    started: [] as { args: unknown[]; workflowId: string }[],
    cancelled: 0,
    cancel: async (): Promise<void> => undefined,
    start: async (): Promise<void> => undefined,
    watches: 0,
    result: (): Promise<unknown> => new Promise(() => undefined),
    stored: null as RequestResult | null,
    find: async (): Promise<void> => undefined,
  };
  const client = {
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    workflow: {
      start: async (type: string, options: { args: unknown[]; workflowId: string }) => {
        expect(type).toBe('completionWorkflow');
        await world.start();
        world.started.push(options);
      },
      getHandle: () => ({
        result: () => {
          world.watches += 1;
          return world.result();
        },
        cancel: async () => {
          await world.cancel();
          world.cancelled += 1;
        },
      }),
    },
  } as unknown as Client;
  const requests = {
    insertOnce: async (doc: RequestDoc) => {
      docs.set(doc._id, doc);
      return true;
    },
    find: async (id: string) => {
      await world.find();
      const doc = docs.get(id);
      return doc === undefined ? null : { ...doc, result: world.stored };
    },
  } as unknown as RequestStore;
  const runCompletion = createRunCompletion({
    client,
    eagerStart: true,
    requests,
    hub,
    internalUrl: () => 'http://127.0.0.1:1',
    underWay,
    clock,
    log: silentLog,
  });
  const caller = new AbortController();
  const chunks: string[] = [];
  const run = (given: Partial<CompletionCall> = {}) =>
    runCompletion({
      requestId: 'req_1',
      operation: 'chat',
      keyId: 'key_1',
      model: 'm',
      body: { model: 'm', messages: [] },
      stream: true,
      plan: [plantLane('a')],
      signal: caller.signal,
      onChunk: async ({ json }) => chunks.push(json) > 0,
      ...given,
    });
  /** The worker's end of the channel, once the request is stored. */
  const sink = (): ReplySink => {
    const replyTo = docs.get('req_1')?.replyTo;
    const found = hub.connect('req_1', replyTo?.token ?? '');
    if (found === null) throw new Error('nobody waits');
    return found;
  };
  const turn = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
  return { clock, hub, underWay, docs, world, caller, chunks, run, sink, turn };
}
