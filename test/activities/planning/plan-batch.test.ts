import { describe, expect, it } from 'vitest';
import { createIsModelServed } from '../../../activities/planning/is-model-served.ts';
import { createMeteredLanes } from '../../../activities/planning/metered-lanes.ts';
import { saysTheSame, waitingFor } from '../../../activities/planning/waiting-for.ts';
import { createPlanLanesFor } from '../../../activities/plan-lanes-for.ts';
import type { BatchControl } from '../../../core/contracts/batch-control.ts';
import { newSpend } from '../../../core/contracts/batch-spend.ts';
import type { MeteredConsent } from '../../../core/contracts/metered-consent.ts';
import { SPILL_MARGIN_MS } from '../../../core/contracts/spill.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { newBatch, type BatchDoc, type BatchWait } from '../../../store/batches.ts';
import type { KeyDoc } from '../../../store/keys.ts';
import type { LaneDoc } from '../../../store/lanes.ts';
import { plantLane, plantLaneDoc } from '../../support/planted.ts';

const NOW = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const EXPIRES = NOW + 24 * HOUR_MS;
const MODEL = 'gpt-5.5';
const PLAN = plantLaneDoc('plan', { kind: 'plan', models: [MODEL] });
const OUT = { ...PLAN, state: 'cooling', until: NOW + HOUR_MS } as const;
const METER = plantLaneDoc('meter', { models: [MODEL], concurrency: 8 });
const OWN = plantLaneDoc('own', {
  models: [MODEL],
  rank: 2,
  keySettings: {
    preset: null,
    authHeader: 'authorization',
    sealedHeaders: null,
    modelMap: [],
    prices: [{ model: MODEL, inputUsd: 0, cachedInputUsd: 0, outputUsd: 0 }],
  },
});

interface Given {
  readonly lanes: readonly LaneDoc[];
  readonly control?: Partial<BatchControl>;
  readonly batch?: Partial<BatchDoc>;
  readonly key?: Partial<KeyDoc>;
  readonly route?: readonly string[];
  /** Lines of other batches that end no later. */
  readonly others?: number;
}

function setUp({ lanes, control = {}, batch = {}, key = {}, route, others = 0 }: Given) {
  const clock = { now: () => NOW };
  const begun = newBatch({
    _id: 'batch_1',
    ownerId: 'key_1',
    endpoint: '/v1/chat/completions',
    inputFileId: 'file-1',
    completionWindow: '24h',
    createdAt: NOW,
    expiresAt: EXPIRES,
    metadata: null,
    outputExpiresAfterSeconds: null,
  });
  const doc: BatchDoc = { ...begun, ...batch, control: { ...begun.control, ...control } };
  const notes: (BatchWait | null)[] = [];
  const keys = { find: async () => ({ planLanes: true, ...key }) as KeyDoc };
  const directory = createLaneDirectory({
    listLanes: async () => lanes,
    listRoutes: async () =>
      route === undefined ? [] : [{ _id: MODEL, lanes: route.map((laneId) => ({ laneId, model: MODEL })) }],
    clock,
  });
  const planLanesFor = createPlanLanesFor({
    directory,
    keys,
    batches: { find: async () => doc },
    batchControl: { setWaiting: async (_, waiting) => void notes.push(waiting) },
    metered: createMeteredLanes({
      batchQueue: { remainingUntil: async () => others },
      lanes: { find: async (laneId) => lanes.find(({ _id }) => _id === laneId) ?? null },
      laneLog: { list: async () => [] },
    }),
    clock,
  });
  return {
    notes,
    plan: () => planLanesFor({ keyId: 'key_1', model: MODEL, batchId: 'batch_1' }),
    isServed: () => createIsModelServed({ directory, keys })(doc, MODEL),
  };
}
const laneIds = async (given: Given): Promise<string[]> =>
  (await setUp(given).plan()).lanes.map(({ laneId }) => laneId);
const heldUntil = async (given: Given): Promise<Record<string, number | undefined>> =>
  Object.fromEntries((await setUp(given).plan()).lanes.map((lane) => [lane.laneId, lane.heldUntil]));

describe('the lanes of a batch', () => {
  it('leave time for the lines of batches that end no later', async () => {
    const batch = { counts: { total: 80, completed: 0, failed: 0 } };
    const alone = (await heldUntil({ lanes: [OUT, METER], batch }))['meter'] ?? 0;
    const among = (await heldUntil({ lanes: [OUT, METER], batch, others: 160 }))['meter'] ?? 0;
    const end = EXPIRES - SPILL_MARGIN_MS;
    expect(end - among).toBe(3 * (end - alone));
  });

  it.each([PLAN, OUT])('hold metered lanes back while there is a plan, open or out', async (plan) => {
    const { meter, plan: planHeld } = await heldUntil({ lanes: [plan, METER] });
    expect(meter).toBe(EXPIRES - SPILL_MARGIN_MS);
    expect(planHeld).toBeUndefined();
  });

  it.each([
    ['the batch wants no waiting', { lanes: [OUT, METER], control: { spill: 'now' } }],
    ['there is no plan lane', { lanes: [METER] }],
    ['the plan is closed', { lanes: [{ ...PLAN, state: 'needs_login' }, METER] }],
    ['the key may not use plans', { lanes: [OUT, METER], key: { planLanes: false } }],
    ['the owner put the key lane first', { lanes: [OUT, METER], route: ['meter', 'plan'] }],
  ] as const)('are used in their order where %s', async (_what, given) => {
    expect((await heldUntil(given))['meter']).toBeUndefined();
  });

  it('do not hold a lane back that is free', async () => {
    expect(await heldUntil({ lanes: [OUT, METER, OWN] })).toMatchObject({
      meter: expect.any(Number) as number,
      own: undefined,
    });
  });

  it('are released earlier the more lines are left', async () => {
    const counts = { total: 5_000, completed: 1_000, failed: 1_000 };
    const few = await heldUntil({ lanes: [OUT, METER] });
    const many = await heldUntil({ lanes: [OUT, METER], batch: { counts } });
    expect(many['meter']).toBeLessThan(few['meter'] ?? 0);
  });

  it.each<[MeteredConsent | undefined, MeteredConsent, boolean, boolean]>([
    [undefined, 'auto', false, true],
    ['auto', 'never', true, false],
    ['never', 'auto', true, false],
    ['ask', 'auto', false, false],
    ['ask', 'auto', true, true],
    ['auto', 'ask', false, false],
    ['auto', 'ask', true, true],
  ])('may cost money by key %s and batch %s, limit %s: %s', async (key, metered, isLimited, isUsed) => {
    const ids = await laneIds({
      lanes: [PLAN, METER],
      control: { metered },
      batch: { spend: newSpend(isLimited ? 1_000_000 : null) },
      key: key === undefined ? {} : { metered: key },
    });
    expect(ids).toEqual(isUsed ? ['plan', 'meter'] : ['plan']);
  });

  it('are only those that the batch is bound to', async () => {
    expect(await laneIds({ lanes: [PLAN, METER, OWN], batch: { onlyLanes: ['own', 'gone'] } })).toEqual(['own']);
  });

  it('are key lanes for embeddings, and a model without one is not served', async () => {
    const batch = { endpoint: '/v1/embeddings' };
    expect(await heldUntil({ lanes: [PLAN, METER], batch })).toEqual({ meter: undefined });
    expect(await setUp({ lanes: [PLAN, METER], batch }).isServed()).toBe(true);
    expect(await setUp({ lanes: [PLAN], batch }).isServed()).toBe(false);
  });

  it('come with how the batch is to run', async () => {
    const { control } = await setUp({ lanes: [PLAN], control: { paused: true, priority: 'high' } }).plan();
    expect(control).toEqual({ paused: true, priority: 'high' });
  });

  it.each([
    ['nothing more goes out', 'cancel', true],
    ['all goes on', 'finish', false],
    ['all goes on, as before there was a choice', undefined, false],
  ] as const)('of a revoked key: %s', async (_what, revokedBatches, paused) => {
    const key = { revokedAt: NOW, ...(revokedBatches === undefined ? {} : { revokedBatches }) };
    const { plan } = setUp({ lanes: [PLAN], key });
    expect((await plan()).control).toEqual({ paused, priority: 'normal' });
  });

  it('note what the batch waits for, once, and when it waits no longer', async () => {
    const waits = setUp({ lanes: [OUT, METER] });
    await waits.plan();
    expect(waits.notes).toEqual([
      { until: NOW + HOUR_MS, why: 'the plan is out, and metered lanes are held back as long as the deadline allows' },
    ]);
    const [noted = null] = waits.notes;
    const again = setUp({ lanes: [OUT, METER], batch: { waiting: noted } });
    await again.plan();
    expect(again.notes).toEqual([]);
    const open = setUp({ lanes: [PLAN, METER], batch: { waiting: noted } });
    await open.plan();
    expect(open.notes).toEqual([null]);
  });
});

describe('what lines wait for', () => {
  it.each([
    ['nothing when a lane is open', [plantLane('a')], null],
    ['nothing when a released lane is open', [plantLane('a', { heldUntil: NOW })], null],
    [
      'the first window',
      [plantLane('a', { unavailableUntil: NOW + 9 }), plantLane('b', { unavailableUntil: NOW + 5 })],
      NOW + 5,
    ],
    ['the later of outage and hold', [plantLane('a', { unavailableUntil: NOW + 5, heldUntil: NOW + 7 })], NOW + 7],
  ] as const)('is %s', (_what, lanes, until) => {
    expect(waitingFor(lanes, [], NOW)?.until ?? null).toBe(until);
  });

  it.each([
    [7, 'pauses after failures or a rate limit'],
    [9, 'until its window opens again'],
  ])('is what keeps the lane that comes back first: a pause of %i ms, or a window of 8', (pauseMs, why) => {
    const paused = plantLane('b', { unavailableUntil: NOW + pauseMs, backsOff: true });
    expect(waitingFor([plantLane('a', { unavailableUntil: NOW + 8 }), paused], [], NOW)?.why).toContain(why);
  });

  it('is somebody who opens a lane', () => {
    expect(waitingFor([], ['home (needs_login)'], NOW)?.why).toBe('no lane is open: home (needs_login)');
  });

  it('is said anew only when it is another thing to a reader', () => {
    const note = { until: NOW, why: 'a' };
    expect(saysTheSame(note, { until: NOW + 999, why: 'a' })).toBe(true);
    expect(saysTheSame(note, { until: NOW + 1_000, why: 'a' })).toBe(false);
    expect(saysTheSame(note, { until: NOW, why: 'b' })).toBe(false);
    expect(saysTheSame(note, null)).toBe(false);
    expect(saysTheSame(null, null)).toBe(true);
  });
});
