import { describe, expect, it } from 'vitest';
import { createMeteredLanes } from '../../../activities/planning/metered-lanes.ts';
import { createPlanProviderBatch } from '../../../activities/provider-batch/plan-provider-batch.ts';
import { CANCEL_LIMIT_MS } from '../../../core/contracts/provider-batch.ts';
import { SPILL_MARGIN_MS } from '../../../core/contracts/spill.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { newBatch, type BatchDoc } from '../../../store/batches.ts';
import type { KeyDoc } from '../../../store/keys.ts';
import type { LaneDoc } from '../../../store/lanes.ts';
import { plantLane, plantLaneDoc } from '../../support/planted.ts';

const NOW = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const MODEL = 'gpt-5.5';
const PLAN = plantLaneDoc('plan', { kind: 'plan', models: [MODEL], state: 'cooling', until: NOW + 20 * HOUR_MS });
const settings = { preset: null, authHeader: 'authorization', sealedHeaders: null, modelMap: [], prices: [] };
const HALF = plantLaneDoc('half', { models: [MODEL], keySettings: { ...settings, batchPriceShare: 0.5 } });
const OTHER = plantLaneDoc('other', { models: [MODEL], rank: 2, keySettings: { ...settings, batchPriceShare: 0.5 } });

function planWith(lanes: readonly LaneDoc[], given: Partial<BatchDoc> = {}) {
  const begun = newBatch({
    _id: 'batch_1',
    ownerId: 'key_1',
    endpoint: '/v1/chat/completions',
    inputFileId: 'file-1',
    completionWindow: '24h',
    createdAt: NOW,
    expiresAt: NOW + 24 * HOUR_MS,
    metadata: null,
    outputExpiresAfterSeconds: null,
  });
  const counts = { total: 2_500, completed: 0, failed: 0 };
  const batch: BatchDoc = { ...begun, status: 'in_progress', model: MODEL, counts, ...given };
  const clock = { now: () => NOW };
  const found = { find: async (laneId: string) => lanes.find(({ _id }) => _id === laneId) ?? null };
  const plan = createPlanProviderBatch({
    directory: createLaneDirectory({ listLanes: async () => lanes, listRoutes: async () => [], clock }),
    keys: { find: async () => ({ planLanes: true }) as KeyDoc },
    batches: { find: async () => batch },
    batchControl: { setWaiting: async () => undefined },
    lanes: found,
    metered: createMeteredLanes({
      batchQueue: { remainingUntil: async () => 0 },
      lanes: found,
      laneLog: { list: async () => [] },
    }),
    clock,
  });
  return plan({ batchId: 'batch_1', nextChunk: 3, endChunk: 10 });
}

describe('the part of a batch that goes to a provider', () => {
  it('goes to the first lane with a Batch API behind the plan', async () => {
    const run = await planWith([PLAN, HALF, OTHER]);
    expect(run).toMatchObject({ batchId: 'batch_1', keyId: 'key_1', model: MODEL, firstChunk: 3, endChunk: 10 });
    expect(run?.lane).toEqual({ laneId: 'half', kind: 'key', alias: 'half', model: MODEL, concurrency: 4 });
  });

  it('is taken back so early that it is back when calls must begin', async () => {
    // Two lanes with four slots, thirty seconds a line, twice the time that they need.
    const needsMs = ((2_500 * 30) / 8) * 2 * 1_000;
    const callsBegin = NOW + 24 * HOUR_MS - SPILL_MARGIN_MS - needsMs;
    const run = await planWith([PLAN, HALF, OTHER]);
    expect(run?.takenBackAt).toBe(callsBegin - CANCEL_LIMIT_MS);
  });

  it('is nothing when the time to take it back leaves less than an hour', async () => {
    const hour = (minutes: number): Partial<BatchDoc> => ({
      expiresAt: NOW + SPILL_MARGIN_MS + CANCEL_LIMIT_MS + minutes * 60_000,
      counts: { total: 1, completed: 0, failed: 0 },
    });
    expect(await planWith([PLAN, HALF], hour(62))).not.toBeNull();
    expect(await planWith([PLAN, HALF], hour(58))).toBeNull();
  });

  it('does not go to a lane that is out, but to the next one', async () => {
    const out = { ...HALF, state: 'cooling', until: NOW + HOUR_MS } as const;
    expect((await planWith([PLAN, out, OTHER]))?.lane.laneId).toBe('other');
    expect(await planWith([PLAN, out])).toBeNull();
  });
});

describe('a run that is not over', () => {
  const { unavailableUntil: _, ...lane } = plantLane('gone', { kind: 'key' });
  const run = { number: 4, lane, model: 'older', firstChunk: 1, endChunk: 8, takenBackAt: NOW - 1 };
  const open = { ...run, made: { 1: 'batch_p' }, isOver: false };

  it('comes before any other, whatever has begun and whatever its batch wants now', async () => {
    const batch = { batchId: 'batch_1', keyId: 'key_1', expiresAt: NOW + 24 * HOUR_MS };
    expect(await planWith([PLAN, HALF], { providerRun: open })).toEqual({ ...run, ...batch });
    const control = { paused: true, priority: 'normal', spill: 'now' } as unknown as BatchDoc['control'];
    expect(await planWith([], { providerRun: open, model: null, control })).toEqual({ ...run, ...batch });
  });

  it('is followed by the next number when it is over', async () => {
    expect(await planWith([PLAN, HALF])).toMatchObject({ number: 1, expiresAt: NOW + 24 * HOUR_MS });
    const next = await planWith([PLAN, HALF], { providerRun: { ...open, isOver: true } });
    expect(next).toMatchObject({ number: 5, model: MODEL, firstChunk: 3, endChunk: 10 });
  });
});
