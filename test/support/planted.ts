import { pino, type Logger } from 'pino';
import type { AttemptFailure, FailureClass } from '../../core/contracts/failure.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { UNTOUCHED_LANE, type LaneDoc } from '../../store/lanes.ts';

/** Small things that many tests plant: a failure, a lane, a log. */

export const FAILURE_CLASSES: readonly FailureClass[] = [
  'window_exhausted',
  'rate_limited',
  'overloaded',
  'unauthorized',
  'model_unavailable',
  'caller_fault',
  'broken',
  'process_lost',
  'lane_unavailable',
  'unsupported',
  'consent_spent',
  'cancelled',
];

export function plantFailure(failureClass: FailureClass, given: Partial<AttemptFailure> = {}): AttemptFailure {
  return { class: failureClass, answerStarted: false, reachedUpstream: true, reason: 'planted', ...given };
}

export function plantLane(laneId: string, given: Partial<PlannedLane> = {}): PlannedLane {
  return { laneId, kind: 'plan', alias: laneId, model: 'm', concurrency: 4, unavailableUntil: 0, ...given };
}

export function plantLaneDoc(_id: string, given: Partial<LaneDoc> = {}): LaneDoc {
  return {
    _id,
    kind: 'key',
    alias: _id,
    state: 'ready',
    why: null,
    until: null,
    rank: 1,
    concurrency: 4,
    models: ['m'],
    createdAt: 1,
    stateChangedAt: 1,
    hostId: null,
    email: null,
    planType: null,
    windows: [],
    login: null,
    loginWish: 0,
    baseUrl: null,
    sealedKey: null,
    allowPrivateAddresses: false,
    ...UNTOUCHED_LANE,
    ...given,
  };
}

export const silentLog: Logger = pino({ level: 'silent' });

/** A log that keeps its lines, to see what was said. */
export function keptLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return { log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }), lines };
}
