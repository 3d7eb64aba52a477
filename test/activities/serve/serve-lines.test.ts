import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import type { LineEntry } from '../../../activities/serve/line-recorder.ts';
import { createServeLines, type ServeLinesDeps } from '../../../activities/serve/serve-lines.ts';
import type { LineResult, ServeLinesInput } from '../../../core/contracts/batch.ts';
import { systemClock } from '../../../core/clock.ts';
import type { LaneCall, LaneOutcome } from '../../../core/lane-port.ts';
import { plantFailure, plantLane } from '../../support/planted.ts';

const usage = { promptTokens: 3, cachedPromptTokens: 0, completionTokens: 2, reasoningTokens: 0 };
const answered: LaneOutcome = { ok: true, body: '{"hi":1}', usage, ignoredParams: [] };

/** Three lines of one chunk, on a lane that does what the test says of each. */
function setUp(complete: (call: LaneCall) => Promise<LaneOutcome>, delivery = 1) {
  const recorded: LineEntry[] = [];
  const called: string[] = [];
  const world = { outcomes: [] as number[], failRecord: undefined as number | undefined };
  const rows = [1, 2, 3].map((line) => ({ line, customId: `id-${line}`, body: { model: 'm', line }, bodyText: '' }));
  const deps = {
    clock: systemClock,
    chunkReader: { read: async () => rows },
    results: { outcomes: async () => world.outcomes.map((line) => ({ line })) },
    recorder: {
      record: async (_: string, entry: LineEntry) => {
        if (entry.result.line === world.failRecord) throw new Error('the database is away');
        recorded.push(entry);
      },
    },
    costMicros: () => 9,
    host: {
      find: () => ({
        lane: {
          complete: (call: LaneCall) => {
            called.push(call.requestId);
            return complete(call);
          },
        },
        availability: () => ({ open: true }),
        acquire: async () => () => undefined,
        reportAnswer: async () => undefined,
        reportFailure: async () => undefined,
      }),
    },
  } as unknown as ServeLinesDeps;
  const environment = new MockActivityEnvironment({ attempt: delivery });
  const run = (given: Partial<ServeLinesInput> = {}): Promise<LineResult[]> =>
    environment.run(createServeLines(deps), {
      batchId: 'batch_a',
      keyId: 'key_1',
      chunkIndex: 0,
      lane: plantLane('k', { kind: 'key' }),
      lines: [1, 2, 3].map((line) => ({ line, attempt: 1, previous: [] })),
      expiresAt: Date.now() + 60_000,
      ...given,
    });
  return { world, recorded, called, run };
}

describe('lines on a lane', () => {
  it('are done when their outcome is stored, and paid for by attempt and delivery', async () => {
    const { recorded, called, run } = setUp(async () => answered);
    const results = await run();
    expect(results).toMatchObject([1, 2, 3].map((line) => ({ line, record: { outcome: 'answered', attempt: 1 } })));
    expect(called).toEqual(['batch_a:000001', 'batch_a:000002', 'batch_a:000003']);
    expect(recorded[0]).toMatchObject({
      result: { customId: 'id-1', kind: 'completed', statusCode: 200, body: '{"hi":1}', usage },
      ledger: { _id: 'batch_a:000001#1.1', costMicros: 9, meterMicros: 9 },
    });
  });

  it('are not sent again when they have an outcome after a lost delivery', async () => {
    const { world, called, run } = setUp(async () => answered, 2);
    world.outcomes = [1, 3];
    const results = await run();
    expect(called).toEqual(['batch_a:000002']);
    expect(results.every(({ failure }) => failure === undefined)).toBe(true);
  });

  it('leave the failure of a lane to the workflow, and store nothing', async () => {
    const failure = plantFailure('broken');
    const { recorded, run } = setUp(async () => ({ ok: false, failure }));
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
    const { recorded, run } = setUp(async () => ({ ok: false, failure, ...(callerAnswer && { callerAnswer }) }));
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
    const { world, run } = setUp((call) =>
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
