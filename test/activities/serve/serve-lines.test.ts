import { CancelledFailure } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { REPLAN_AT_LEAST_AFTER_MS } from '../../../core/contracts/timings.ts';
import type { LaneOutcome } from '../../../core/lane-port.ts';
import { PATIENT } from '../../support/patience.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';
import { answered, setUpLines, usage } from '../../support/served-lines.ts';

describe('lines on a lane', () => {
  it('are done when their outcome is stored, and paid for by attempt and delivery', async () => {
    const { recorded, called, run } = setUpLines(async () => answered);
    const results = await run();
    expect(results).toMatchObject([1, 2, 3].map((line) => ({ line, record: { outcome: 'answered', attempt: 1 } })));
    expect(called).toEqual(['batch_a:000001', 'batch_a:000002', 'batch_a:000003']);
    expect(recorded[0]).toMatchObject({
      result: { customId: 'id-1', kind: 'completed', statusCode: 200, body: '{"hi":1}', usage },
      ledger: { _id: expect.stringMatching(/^batch_a:000001#1\.1@/) as string, costMicros: 9, meterMicros: 9 },
    });
  });

  it.each([1, 2])('are not sent again when they have an outcome, in delivery %i', async (delivery) => {
    const { world, called, run } = setUpLines(async () => answered, delivery);
    world.outcomes = [1, 3];
    const results = await run();
    expect(called).toEqual(['batch_a:000002']);
    expect(results.every(({ failure }) => failure === undefined)).toBe(true);
  });

  it('leave the failure of a lane to the workflow, and store nothing', async () => {
    const failure = plantFailure('broken');
    const { recorded, run } = setUpLines(async () => ({ ok: false, failure }));
    expect(await run()).toMatchObject([1, 2, 3].map((line) => ({ line, failure, record: { outcome: 'broken' } })));
    expect(recorded).toEqual([]);
  });

  it.each([
    {
      callerAnswer: { status: 422, body: '{"error":"theirs"}' },
      stored: { statusCode: 422, body: '{"error":"theirs"}' },
    },
    {
      callerAnswer: undefined,
      stored: { statusCode: 400, body: expect.stringContaining('invalid_request_error') as string },
    },
  ])('keep a caller’s own fault as their outcome: $callerAnswer', async ({ callerAnswer, stored }) => {
    const failure = plantFailure('caller_fault');
    const { recorded, run } = setUpLines(async () => ({ ok: false, failure, ...(callerAnswer && { callerAnswer }) }));
    await run();
    expect(recorded).toHaveLength(3);
    expect(recorded[0]).toMatchObject({
      result: { kind: 'failed', ...stored },
      log: { costMicros: 0, attempts: [{}] },
    });
    expect(recorded[0]).not.toHaveProperty('ledger');
  });

  it('fail together only when the last of them is over, so that none is out twice', async () => {
    let endLast: () => void = () => undefined;
    const { world, run } = setUpLines((call) =>
      call.requestId.endsWith('3')
        ? new Promise((resolve) => {
            endLast = () => resolve(answered);
          })
        : Promise.resolve(answered),
    );
    world.failRecord = 1;
    let over = false;
    const running = run().catch((error: unknown) => {
      over = true;
      return error;
    });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(over).toBe(false);
    endLast();
    expect(await running).toMatchObject({ message: 'the database is away' });
  });
});

describe('the money of lines on a metered lane', () => {
  it('is held for all before any goes out, and settled with what they cost', async () => {
    const { world, run } = setUpLines(async () => answered, 1, { maxMicros: 100, roomMicros: 100 });
    await run();
    expect(world.settled).toMatchObject([{ held: 30, spent: 27 }]);
    expect(Object.keys(world.spend.holds)).toEqual([world.settled[0]?.hold]);
  });

  it('lets as many lines out as there is room for; the others wait for what those leave over', async () => {
    const { world, called, run } = setUpLines(async () => answered, 1, { maxMicros: 25, roomMicros: 25 });
    const results = await run();
    expect(called).toEqual(['batch_a:000001', 'batch_a:000002']);
    expect(results[2]).toMatchObject({ failure: { class: 'lane_unavailable', reachedUpstream: false } });
    expect(world.settled).toMatchObject([{ held: 20, spent: 18 }]);
  });

  it.each(['hold 2', 'find 1', 'find 2'])('is the same when an answer of the database is lost: %s', async (lost) => {
    const { world, called, run } = setUpLines(async () => answered, 1, { maxMicros: 25, roomMicros: 25 });
    world.lost.add(lost);
    const results = await run();
    expect(called).toEqual(['batch_a:000001', 'batch_a:000002']);
    expect(results[2]).toMatchObject({ failure: { class: 'lane_unavailable', reachedUpstream: false } });
    expect(world.settled).toMatchObject([{ held: 20, spent: 18 }]);
  });

  it.each([
    ['nothing is held that could come back', {}, 'consent_spent'],
    ['others hold what could come back', { [`${Date.now()}-1-1-r-1`]: 10 }, 'lane_unavailable'],
    ['a dead attempt holds it', { '1-1-1-r-1': 10 }, 'consent_spent'],
  ] as const)('is refused where there is no room and %s', async (_what, holds, failureClass) => {
    const { world, called, run } = setUpLines(async () => answered, 1, { maxMicros: 15, roomMicros: 5, holds });
    const results = await run();
    expect(results.map(({ failure }) => failure?.class)).toEqual([failureClass, failureClass, failureClass]);
    expect(called).toEqual([]);
    expect(world.settled).toEqual([]);
  });

  it('may come back from an attempt that is old and alive', async () => {
    const given = { maxMicros: 15, roomMicros: 5, holds: { '1-1-1-r-1': 10 }, aliveAt: { '1-1-1-r-1': Date.now() } };
    const { run } = setUpLines(async () => answered, 1, given);
    expect((await run()).map(({ failure }) => failure?.class)).toEqual(Array(3).fill('lane_unavailable'));
  });

  it('is held with a sign of life, also by a late delivery of an old activity', async () => {
    const before = Date.now();
    const { world, run } = setUpLines(async () => answered, 3);
    await run();
    expect(world.settled).toHaveLength(1);
    expect(world.spend.aliveAt?.[world.settled[0]?.hold ?? '']).toBeGreaterThanOrEqual(before);
  });

  it('is waited for longer where only a provider’s batch holds it', async () => {
    const holds = { 'provider-3-1': 10 };
    const { run } = setUpLines(async () => answered, 1, { maxMicros: 15, roomMicros: 5, holds });
    const { failure } = (await run())[0] ?? {};
    expect(failure).toMatchObject({ class: 'lane_unavailable' });
    expect(failure?.unavailableUntil).toBeGreaterThan(Date.now() + REPLAN_AT_LEAST_AFTER_MS * 2);
  });

  it('counts what may have been paid for, and not what was refused or never left', async () => {
    const ends: LaneOutcome[] = [
      { ok: false, failure: plantFailure('broken') },
      { ok: false, failure: plantFailure('broken', { upstreamStatus: 500 }) },
      { ok: false, failure: plantFailure('broken', { reachedUpstream: false }) },
    ];
    const { world, run } = setUpLines(async ({ requestId }) => ends[Number(requestId.slice(-1)) - 1] ?? answered);
    await run();
    expect(world.settled).toMatchObject([{ held: 30, spent: 10 }]);
  });

  it('of a lost delivery is settled by the ledger, and feared for lines that it does not know', async () => {
    const first = setUpLines(async () => answered);
    await first.run();
    const lost = Object.keys(first.world.spend.holds)[0] ?? '';
    const { world, run } = setUpLines(async () => answered, 2, {
      maxMicros: 100,
      roomMicros: 70,
      holds: { [lost]: 30 },
    });
    world.ledger = [{ _id: first.recorded[1]?.ledger?._id ?? '', costMicros: 4 }];
    world.outcomes = [2];
    await run();
    expect(world.settled).toMatchObject([
      { hold: lost, held: 30, spent: 24 },
      { held: 20, spent: 18 },
    ]);
    expect(world.settled[1]?.hold).not.toBe(lost);
  });

  it('of a lost delivery counts in full for an answer whose price the ledger does not know', async () => {
    const first = setUpLines(async () => answered);
    await first.run();
    const lost = Object.keys(first.world.spend.holds)[0] ?? '';
    const { world, run } = setUpLines(async () => answered, 2, {
      maxMicros: 100,
      roomMicros: 70,
      holds: { [lost]: 30 },
    });
    world.ledger = first.recorded.map(({ ledger }, index) => ({
      _id: ledger?._id ?? '',
      costMicros: index === 0 ? null : 4,
    }));
    world.outcomes = [1, 2, 3];
    await run();
    expect(world.settled).toMatchObject([{ hold: lost, held: 30, spent: 18 }]);
  });

  it('is nobody’s concern on a plan lane', async () => {
    const { world, called, run } = setUpLines(async () => answered, 1, { maxMicros: 0, roomMicros: 0 });
    await run({ lane: plantLane('p') });
    expect(called).toHaveLength(3);
    expect(world.settled).toEqual([]);
  });
});

describe('lines of a batch that was paused meanwhile', () => {
  it('do not go out when they get their slot', async () => {
    const { world, called, run } = setUpLines(async () => answered);
    world.heldBack = { why: 'paused', until: 5 };
    expect(await run()).toMatchObject([1, 2, 3].map((line) => ({ line, failure: { class: 'lane_unavailable' } })));
    expect(called).toEqual([]);
    expect(world.settled).toMatchObject([{ held: 30, spent: 0 }]);
  });

  it('cost nothing when nobody could say whether they may', async () => {
    const { world, called, run } = setUpLines(async () => answered);
    world.failHeldBack = true;
    await expect(run()).rejects.toThrow('away');
    expect(called).toEqual([]);
    expect(world.settled).toMatchObject([{ held: 30, spent: 0 }]);
  });
});

describe('lines whose batch is cancelled', () => {
  it('come back with what an upstream has seen of them and is no outcome', async () => {
    const ends: Record<string, LaneOutcome> = {
      1: answered,
      2: { ok: false, failure: plantFailure('overloaded', { upstreamStatus: 503 }) },
      3: { ok: false, failure: plantFailure('caller_fault') },
      4: { ok: false, failure: plantFailure('lane_unavailable', { reachedUpstream: false }) },
    };
    const { world, recorded, called, environment, run } = setUpLines(
      async ({ requestId, signal }) => {
        const ended = ends[requestId.slice(-1)];
        if (ended !== undefined) return ended;
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        return { ok: false, failure: plantFailure('cancelled', { reachedUpstream: !requestId.endsWith('6') }) };
      },
      1,
      { maxMicros: 100, roomMicros: 100 },
    );
    const lines = [1, 2, 3, 4, 5, 6].map((line) => ({ line, attempt: 2, previous: [] }));
    const running = run({ lines }).catch((error: unknown) => error);
    await vi.waitFor(() => expect(called).toHaveLength(6), PATIENT);
    environment.cancel();
    const error = await running;
    expect(error).toBeInstanceOf(CancelledFailure);
    expect((error as CancelledFailure).details).toMatchObject([
      [
        { line: 2, record: { attempt: 2, outcome: 'overloaded' } },
        { line: 5, record: { attempt: 2, outcome: 'cancelled', costUnknown: true } },
      ],
    ]);
    expect(recorded.map(({ result }) => result.line)).toEqual([1, 3]);
    expect(world.settled).toMatchObject([{ held: 60, spent: 9 + 10 }]);
  });
});

describe('a line that was on its way when its lane failed without a word', () => {
  it('counts as what it may have cost', async () => {
    const { world, run } = setUpLines(() => Promise.reject(new Error('a bug')));
    await expect(run()).rejects.toThrow('a bug');
    expect(world.settled).toMatchObject([{ held: 30, spent: 30 }]);
  });
});
