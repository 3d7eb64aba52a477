import { describe, expect, it, vi } from 'vitest';
import { toLineEntry } from '../../../activities/serve/line-entry.ts';
import { createLineRecorder, type LineEntry, type LineRecorderDeps } from '../../../activities/serve/line-recorder.ts';
import { systemClock } from '../../../core/clock.ts';
import type { BatchIncrement } from '../../../store/batches.ts';
import type { BatchResultDoc } from '../../../store/batch-results.ts';
import type { LaneLogDoc } from '../../../store/lane-log.ts';
import type { LedgerDoc } from '../../../store/ledger.ts';
import { keptLog, plantLane } from '../../support/planted.ts';

// What is tried again while the database is away is `persist`'s own test.
vi.mock('../../../core/persist.ts', () => ({
  persist: (_log: unknown, write: () => Promise<unknown>) => write(),
}));

const usage = { promptTokens: 10, cachedPromptTokens: 4, completionTokens: 5, reasoningTokens: 2 };

function entry(batchId: string, line: number, kind: 'completed' | 'failed' = 'completed'): LineEntry {
  return toLineEntry({
    batchId,
    keyId: 'key_1',
    line,
    customId: `id-${line}`,
    model: 'm',
    kind,
    status: kind === 'completed' ? 200 : 400,
    body: '{}',
    lane: plantLane('a'),
    attempts: [],
    usage: kind === 'completed' ? usage : null,
    costs: { costMicros: 7, meterMicros: 7 },
    ...(kind === 'completed' ? { ledgerKey: `${batchId}:${line}#1.1` } : {}),
    at: 1,
  });
}

/** A recorder over collections in memory; a write may be held up, or fail. */
function setUp() {
  const { log, lines } = keptLog();
  const results = new Map<string, BatchResultDoc>();
  const laneLog = new Map<string, LaneLogDoc>();
  const ledger = new Map<string, LedgerDoc>();
  const counts: (BatchIncrement & { batchId: string })[] = [];
  const order: string[] = [];
  const world = {
    hold: undefined as Promise<void> | undefined,
    fail: (docs: readonly BatchResultDoc[]): boolean => docs.length === 0,
    failCounts: false,
  };
  const deps = {
    clock: systemClock,
    log,
    ledger: {
      settle: async (rows: LedgerDoc[]) => {
        order.push('ledger');
        for (const row of rows) ledger.set(row._id, row);
      },
    },
    results: {
      insertMany: async (docs: BatchResultDoc[]) => {
        order.push(`results ${docs.length}`);
        await world.hold;
        if (world.fail(docs)) throw new Error('away');
        const fresh = docs.filter(({ _id }) => !results.has(_id));
        for (const doc of fresh) results.set(doc._id, doc);
        const duplicates = docs.filter((doc) => !fresh.includes(doc));
        return { stored: fresh.map(({ line }) => line), duplicates: duplicates.map(({ line }) => line) };
      },
    },
    laneLog: {
      insertMissing: async (docs: LaneLogDoc[]) => {
        order.push('log');
        for (const doc of docs) if (!laneLog.has(doc._id)) laneLog.set(doc._id, doc);
      },
    },
    batches: {
      addCounts: async (batchId: string, add: BatchIncrement) => {
        order.push('counts');
        if (world.failCounts) throw new Error('away');
        counts.push({ batchId, ...add });
      },
    },
  } as unknown as LineRecorderDeps;
  return { recorder: createLineRecorder(deps), world, results, laneLog, ledger, counts, order, lines };
}

describe('the line recorder', () => {
  it('stores what was paid, then the outcome, then what is said of it', async () => {
    const { recorder, results, laneLog, ledger, counts, order } = setUp();
    await recorder.record('batch_a', entry('batch_a', 1));
    expect(order).toEqual(['ledger', 'results 1', 'log', 'counts']);
    expect([...results.keys()]).toEqual(['batch_a:000001']);
    expect([...laneLog.keys()]).toEqual(['batch_a:000001']);
    expect([...ledger.values()]).toMatchObject([{ _id: 'batch_a:1#1.1', costMicros: 7, laneId: 'a' }]);
    expect(counts).toEqual([
      {
        batchId: 'batch_a',
        completed: 1,
        failed: 0,
        duplicates: 0,
        usage,
        byLane: { a: { completed: 1, failed: 0, costMicros: 7, meterMicros: 7, costUnknown: 0, meterUnknown: 0 } },
        pace: { at: expect.any(Number) as number, lines: 1 },
      },
    ]);
  });

  it('puts what comes during a write into the next one', async () => {
    const { recorder, world, counts, order } = setUp();
    let go: () => void = () => undefined;
    world.hold = new Promise((resolve) => {
      go = resolve;
    });
    const recorded = [1, 2, 3, 4].map((line) =>
      recorder.record('batch_a', entry('batch_a', line, line === 4 ? 'failed' : 'completed')),
    );
    go();
    await Promise.all(recorded);
    expect(order.filter((step) => step.startsWith('results'))).toEqual(['results 1', 'results 3']);
    expect(counts.map(({ completed, failed }) => [completed, failed])).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(counts[1]?.usage.promptTokens).toBe(20);
  });

  it('counts a second outcome as a duplicate and keeps the first', async () => {
    const { recorder, results, laneLog, counts } = setUp();
    await recorder.record('batch_a', entry('batch_a', 1));
    await recorder.record('batch_a', entry('batch_a', 1, 'failed'));
    expect(results.get('batch_a:000001')?.kind).toBe('completed');
    expect(laneLog.get('batch_a:000001')?.status).toBe('answered');
    expect(counts[1]).toMatchObject({ completed: 0, failed: 0, duplicates: 1, usage: { promptTokens: 0 }, byLane: {} });
  });

  it('rejects the lines of a failed write alone, and goes on', async () => {
    const { recorder, world, results } = setUp();
    world.fail = (docs) => docs.some(({ line }) => line === 1);
    const outcomes = await Promise.allSettled([
      recorder.record('batch_a', entry('batch_a', 1)),
      recorder.record('batch_a', entry('batch_a', 2)),
      recorder.record('batch_b', entry('batch_b', 3)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect([...results.keys()].toSorted()).toEqual(['batch_a:000002', 'batch_b:000003']);
    await recorder.record('batch_a', entry('batch_a', 4));
    expect(results.has('batch_a:000004')).toBe(true);
  });

  it('takes a line as done whose outcome is stored, though the running count was lost', async () => {
    const { recorder, world, results, lines } = setUp();
    world.failCounts = true;
    await recorder.record('batch_a', entry('batch_a', 1));
    expect(results.size).toBe(1);
    expect(lines.join('')).toContain('a running count of a batch was lost');
  });
});
