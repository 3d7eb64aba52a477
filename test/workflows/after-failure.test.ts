import { describe, expect, it } from 'vitest';
import type { AttemptFailure, AttemptRecord } from '../../core/contracts/failure.ts';
import { afterFailure } from '../../workflows/after-failure.ts';
import type { ChunkState, WaitingLine } from '../../workflows/line-queue.ts';
import { plantFailure, plantLane } from '../support/planted.ts';

const LANE = plantLane('lane', { kind: 'key' });
const LINE: WaitingLine = { line: 1, model: 'm', attempts: [], pauses: 0, usedUp: new Set(), triesOn: new Map() };

function after(failure: AttemptFailure) {
  const state: ChunkState = {
    waiting: [],
    tried: new Map(),
    cut: new Map(),
    plans: new Map([['m', [LANE]]]),
    outages: new Map(),
    groupsInFlight: new Map(),
    paused: false,
    priority: 'normal',
    wakes: 0,
    windowOver: false,
  };
  const { class: outcome, reachedUpstream } = failure;
  const record: AttemptRecord = { laneId: 'lane', attempt: 1, outcome, reachedUpstream, startedAt: 1, durationMs: 1 };
  const next = afterFailure(state, { lane: LANE, lines: [LINE] }, LINE, { line: 1, record }, failure);
  return { outages: [...state.outages.keys()], attempts: next?.line.attempts.map(({ outcome }) => outcome) };
}

describe('a lane without a worker', () => {
  it('is left alone by the whole chunk, and was no attempt of the line', () => {
    const failure = plantFailure('lane_unavailable', { reachedUpstream: false });
    expect(after(failure)).toEqual({ outages: ['lane'], attempts: [] });
  });

  it('is left alone likewise where its worker was lost in the middle of an attempt, which counts', () => {
    const failure = plantFailure('lane_unavailable', { mayBeBilled: true });
    expect(after(failure)).toEqual({ outages: ['lane'], attempts: ['lane_unavailable'] });
  });
});
