import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/log.ts';
import type { HostedLane } from '../policy/hosted-lane.ts';
import { createLaneHealth, type LaneHealth } from '../policy/lane-health.ts';
import { createProbeGate } from '../policy/probe-gate.ts';
import { createSlots } from '../policy/slots.ts';
import { openKeyLane, type StoredKeyLane } from './open-key-lane.ts';

type HealthDoc = Parameters<typeof createLaneHealth>[1];

interface HostedKeyLaneDeps {
  readonly lanes: Parameters<typeof createLaneHealth>[0]['lanes'];
  /** Open what was sealed for this lane. @throws Error when it was sealed with another master key */
  readonly openKey: (sealed: string) => string;
  readonly openHeaders: (sealed: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A key lane that this process serves: its connections, its slots, its health. */
export interface HostedKeyLane extends HostedLane {
  refresh: LaneHealth['refresh'];
  /** Requests that have one of its slots. */
  readonly inUse: () => number;
  /** Ends its connections, requests under way included. */
  stop(): Promise<void>;
}

/** @throws Error when the lane lacks an address or a key, or was sealed with another master key */
export function createHostedKeyLane(
  deps: HostedKeyLaneDeps,
  stored: StoredKeyLane & HealthDoc & { readonly concurrency: number },
): HostedKeyLane {
  const { lanes, clock, log } = deps;
  const { lane, costMicros } = openKeyLane(deps, stored);
  const health = createLaneHealth({ laneId: stored._id, kind: 'key', lanes, clock, random: Math.random, log }, stored);
  const slots = createSlots(stored.concurrency);
  return {
    lane,
    ...(costMicros === undefined ? {} : { costMicros }),
    availability: (priority) => health.availability(priority),
    reportFailure: (failure) => health.reportFailure(failure),
    reportAnswer: () => health.reportAnswer(),
    acquire: createProbeGate(
      () => health.needsProbe(),
      (priority, signal) => slots.acquire(priority, signal),
    ),
    inUse: () => slots.inUse,
    refresh: (changed) => health.refresh(changed),
    stop: () => lane.close(),
  };
}
