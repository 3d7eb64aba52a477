import type { Clock } from '../../core/clock.ts';
import type { LaneState } from '../../core/contracts/lane.ts';
import type { Logger } from '../../core/log.ts';
import type { HostedLane } from '../policy/hosted-lane.ts';
import { createLaneHealth } from '../policy/lane-health.ts';
import { createProbeGate } from '../policy/probe-gate.ts';
import { createSlots } from '../policy/slots.ts';
import { batchPriceShare } from './batch-price.ts';
import { openKeyLane, type StoredKeyLane } from './open-key-lane.ts';

type HealthDoc = Parameters<typeof createLaneHealth>[1];

interface HostedKeyLaneDeps {
  readonly lanes: {
    /** With `sealedKey`: only while the lane still has it. Resolves with null where nothing was changed. */
    transition(
      laneId: string,
      to: LaneState,
      at: number,
      patch?: { why?: string | null; until?: number | null; backsOff?: boolean; sealedKey?: string | null },
    ): Promise<unknown>;
  };
  /** Open what was sealed for this lane. @throws Error when it was sealed with another master key */
  readonly openKey: (sealed: string) => string;
  readonly openHeaders: (sealed: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A key lane that this process serves: its connections, its slots, its health. */
export interface HostedKeyLane extends HostedLane {
  /** Takes in what the database says of its state, and how much it takes at a time. */
  refresh(stored: HealthDoc & { readonly concurrency: number }): void;
  inFlight(): number;
  /** True while nothing is under way on its connections: no request, and nothing at the provider's Batch API. */
  isIdle(): boolean;
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
  const { _id: laneId, sealedKey } = stored;
  // Its owner may give it another key while attempts with this one are under way: what these say must not close it.
  const ownLanes: Parameters<typeof createLaneHealth>[0]['lanes'] = {
    transition: (id, to, at, patch) => lanes.transition(id, to, at, { ...patch, sealedKey }),
  };
  const health = createLaneHealth({ laneId, kind: 'key', lanes: ownLanes, clock, random: Math.random, log }, stored);
  const slots = createSlots(stored.concurrency);
  let batchWork = 0;
  return {
    lane,
    ...(costMicros === undefined ? {} : { costMicros }),
    providerBatches: {
      api: lane.batches,
      priceShare: batchPriceShare(stored.keySettings),
      async whileUnderWay(run) {
        batchWork += 1;
        try {
          return await run();
        } finally {
          batchWork -= 1;
        }
      },
    },
    availability: (priority) => health.availability(priority),
    reportFailure: (failure) => health.reportFailure(failure),
    reportAnswer: () => health.reportAnswer(),
    acquire: createProbeGate(
      () => health.needsProbe(),
      (priority, signal) => slots.acquire(priority, signal),
    ),
    inFlight: () => slots.inUse,
    isIdle: () => slots.inUse === 0 && batchWork === 0,
    refresh(changed) {
      health.refresh(changed);
      slots.setLimit(changed.concurrency);
    },
    stop: () => lane.close(),
  };
}
