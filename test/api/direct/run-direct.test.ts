import { describe, expect, it } from 'vitest';
import { CallerGone, type CompletionCall } from '../../../api/completions/run-completion.ts';
import { createRunDirect } from '../../../api/direct/run-direct.ts';
import type { DirectEntry } from '../../../api/direct/direct-entry.ts';
import { createUnderWay } from '../../../api/under-way.ts';
import { systemClock } from '../../../core/clock.ts';
import type { AttemptFailure } from '../../../core/contracts/failure.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import type { HostedLane } from '../../../lanes/policy/hosted-lane.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';

const ANSWER: LaneOutcome = {
  ok: true,
  body: '{"id":"chatcmpl-1"}',
  usage: { promptTokens: 10, cachedPromptTokens: 0, completionTokens: 5, reasoningTokens: 0 },
  ignoredParams: [],
};
const fails = (failure: AttemptFailure, callerAnswer?: { status: number; body: string }): LaneOutcome =>
  callerAnswer === undefined ? { ok: false, failure } : { ok: false, failure, callerAnswer };

type Answer = LaneOutcome | ((call: LaneCall) => Promise<LaneOutcome>);

/** Lanes that answer as they are told, one answer after the other. */
function plantWorld(answers: Record<string, Answer[]>, own: Partial<HostedLane> = {}) {
  const entries: DirectEntry[] = [];
  const reported: string[] = [];
  const world = { entries, reported, hasRoom: true };
  const host = {
    find: (laneId: string): HostedLane | undefined => {
      const left = answers[laneId];
      if (left === undefined) return undefined;
      return {
        lane: {
          complete: async (call) => {
            const next = left.shift();
            if (next === undefined) throw new Error('asked once too often');
            return typeof next === 'function' ? next(call) : next;
          },
        },
        availability: () => ({ open: true }),
        acquire: async () => () => void reported.push(`${laneId} released`),
        reportFailure: async ({ class: failureClass }) => void reported.push(`${laneId} ${failureClass}`),
        reportAnswer: async () => void reported.push(`${laneId} answered`),
        ...own,
      };
    },
  };
  const books = {
    add: (entry: DirectEntry): void => void entries.push(entry),
    admit: () => (world.hasRoom ? true : Promise.resolve(false)),
  };
  const underWay = createUnderWay();
  const runDirect = createRunDirect({ host, books, costMicros: () => 7, underWay, clock: systemClock });
  return { ...world, world, underWay, runDirect };
}

const request = (more: Partial<CompletionCall> = {}): CompletionCall => ({
  requestId: 'req_1',
  keyId: 'key_1',
  model: 'asked',
  operation: 'chat',
  body: { messages: [] },
  stream: false,
  plan: [plantLane('a', { kind: 'key' }), plantLane('b', { kind: 'key' })],
  signal: new AbortController().signal,
  onChunk: async () => true,
  ...more,
});

describe('the direct path', () => {
  it('answers, says what it took, and writes it down', async () => {
    const { runDirect, entries, reported } = plantWorld({ a: [ANSWER] });
    expect(await runDirect(request())).toEqual({
      type: 'done',
      body: '{"id":"chatcmpl-1"}',
      meta: { laneId: 'a', laneAlias: 'a', attempts: 1, costMicros: 7, meterMicros: 7, ignoredParams: [] },
    });
    const paid = { keyId: 'key_1', batchId: null, laneId: 'a', costMicros: 7, meterMicros: 7 };
    expect(entries).toHaveLength(1);
    expect(entries[0]?.ledger).toMatchObject({ _id: 'req_1#1.1', itemId: 'req_1', ...paid });
    expect(entries[0]?.log).toMatchObject({
      ...paid,
      _id: 'req_1',
      kind: 'request',
      model: 'asked',
      status: 'answered',
      httpStatus: 200,
      laneAlias: 'a',
      usage: { promptTokens: 10 },
      attempts: [{ laneId: 'a', attempt: 1, outcome: 'answered', reachedUpstream: true }],
    });
    expect(reported).toEqual(['a answered', 'a released']);
  });

  it('has its entry, and its end, before the database knows what it says of the lanes, and a stop waits for that', async () => {
    const kept: (() => void)[] = [];
    const report = (): Promise<void> => new Promise((resolve) => kept.push(resolve));
    const { runDirect, entries, underWay } = plantWorld(
      { a: [fails(plantFailure('unauthorized'))], b: [ANSWER] },
      { reportAnswer: report, reportFailure: report },
    );
    const ended = runDirect(request());
    await expect.poll(() => entries.length, { timeout: 5_000 }).toBe(1);
    expect(await ended).toMatchObject({ type: 'done', meta: { laneId: 'b' } });
    expect(kept).toHaveLength(2);
    let isSettled = false;
    const settled = underWay.settled().then(() => (isSettled = true));
    kept[0]?.();
    await new Promise(setImmediate);
    expect(isSettled).toBe(false);
    kept[1]?.();
    await settled;
  });

  it("takes a lane's own prices where it has some", async () => {
    const { runDirect, entries } = plantWorld({ a: [ANSWER] }, { costMicros: () => 99 });
    expect(await runDirect(request())).toMatchObject({ meta: { costMicros: 99, meterMicros: 99 } });
    expect(entries[0]?.ledger?.costMicros).toBe(99);
  });

  it('takes the prices with which the call went out, also where the lane has ended meanwhile', async () => {
    const answers: Record<string, Answer[]> = {
      a: [
        async () => {
          delete answers['a'];
          return ANSWER;
        },
      ],
    };
    const { runDirect, entries } = plantWorld(answers, { costMicros: () => 99 });
    expect(await runDirect(request())).toMatchObject({ meta: { costMicros: 99 } });
    expect(entries[0]?.ledger?.costMicros).toBe(99);
  });

  it('goes to the next lane, after one more try where that may help', async () => {
    const { runDirect, entries, reported } = plantWorld({
      a: [fails(plantFailure('broken')), fails(plantFailure('broken'))],
      b: [ANSWER],
    });
    expect(await runDirect(request())).toMatchObject({ type: 'done', meta: { laneId: 'b', attempts: 3 } });
    expect(entries.map(({ log }) => log.attempts.map(({ outcome }) => outcome))).toEqual([
      ['broken', 'broken', 'answered'],
    ]);
    expect(entries[0]?.ledger?._id).toBe('req_1#3.1');
    expect(reported.filter((said) => !said.endsWith('released'))).toEqual(['a broken', 'a broken', 'b answered']);
  });

  it("tells a caller's own fault in the provider's words, and asks no other lane", async () => {
    const refusal = { status: 400, body: '{"error":{"message":"no"}}' };
    const { runDirect, entries } = plantWorld({ a: [fails(plantFailure('caller_fault'), refusal)], b: [ANSWER] });
    expect(await runDirect(request())).toEqual({ type: 'failed', ...refusal, attempts: 1 });
    expect(entries[0]?.log).toMatchObject({ status: 'failed', httpStatus: 400, laneId: 'a', costMicros: 0 });
    expect(entries[0]?.ledger).toBeUndefined();
  });

  it('tells in our words when every lane is out, with the earliest return', async () => {
    const soon = Date.now() + 60_000;
    const { runDirect, entries } = plantWorld({
      a: [fails(plantFailure('window_exhausted', { unavailableUntil: soon + 60_000 }))],
      b: [fails(plantFailure('window_exhausted', { unavailableUntil: soon }))],
    });
    const end = await runDirect(request());
    expect(end).toMatchObject({ type: 'failed', status: 429, attempts: 2, shouldRetry: false });
    expect(JSON.parse(end.body ?? '')).toMatchObject({
      error: { code: 'usage_limit_reached', resets_at: Math.ceil(soon / 1000) },
    });
    expect(entries[0]?.log).toMatchObject({ status: 'failed', httpStatus: 429, laneId: null });
  });

  it('passes chunks on as they come, each after the one before was taken', async () => {
    const seen: string[] = [];
    const { runDirect } = plantWorld({
      a: [
        async (call) => {
          await call.onChunk('one');
          seen.push('between');
          await call.onChunk('two');
          return ANSWER;
        },
      ],
    });
    const onChunk: CompletionCall['onChunk'] = async ({ json, laneId, attempts }) => {
      seen.push(`${json} ${laneId} ${attempts}`);
      return true;
    };
    expect(await runDirect(request({ stream: true, onChunk }))).toMatchObject({ type: 'done', body: null });
    expect(seen).toEqual(['one a 1', 'between', 'two a 1']);
  });

  it('gives an answer that broke off to no other lane', async () => {
    const { runDirect } = plantWorld({ a: [fails(plantFailure('broken', { answerStarted: true }))], b: [ANSWER] });
    expect(await runDirect(request({ stream: true }))).toMatchObject({ type: 'failed', status: 502 });
  });

  it('ends when its caller leaves, and says that the price is not known', async () => {
    const caller = new AbortController();
    const { runDirect, entries } = plantWorld({
      a: [
        async ({ signal }) => {
          caller.abort();
          expect(signal.aborted).toBe(true);
          return fails(plantFailure('cancelled'));
        },
      ],
      b: [ANSWER],
    });
    await expect(runDirect(request({ signal: caller.signal }))).rejects.toBeInstanceOf(CallerGone);
    expect(entries[0]?.log).toMatchObject({ status: 'failed', httpStatus: null, costMicros: null, meterMicros: null });
  });

  it('does not begin for a caller who has left', async () => {
    const { runDirect, entries } = plantWorld({ a: [ANSWER] });
    await expect(runDirect(request({ signal: AbortSignal.abort() }))).rejects.toBeInstanceOf(CallerGone);
    expect(entries).toEqual([]);
  });

  it('takes nothing in while the books have no room', async () => {
    const { runDirect, world } = plantWorld({ a: [ANSWER] });
    world.hasRoom = false;
    await expect(runDirect(request())).rejects.toMatchObject({ status: 503, retryAfterMs: 1_000 });
  });

  it('goes on to the next lane when one is gone since it was planned', async () => {
    const { runDirect } = plantWorld({ b: [ANSWER] });
    expect(await runDirect(request())).toMatchObject({ type: 'done', meta: { laneId: 'b', attempts: 2 } });
  });
});
