import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { createKeyLane } from '../lanes/openai/key-lane.ts';
import { laneSecretPlace, type LaneDoc, type LaneStore } from '../store/lanes.ts';
import type { Hosted } from './hosted.ts';
import { createLaneHealth } from './lane-health.ts';
import { createSlots } from './slots.ts';

interface HostKeyLaneDeps {
  readonly lanes: LaneStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws Error when the lane's key was sealed with another master key */
export function hostKeyLane({ lanes, secretBox, clock, log }: HostKeyLaneDeps, doc: LaneDoc): Hosted {
  const { _id: laneId, alias, baseUrl, sealedKey, allowPrivateAddresses, concurrency } = doc;
  if (baseUrl === null || sealedKey === null) throw new Error(`key lane ${alias} has no address or no key`);
  const apiKey = secretBox.open(sealedKey, laneSecretPlace(laneId));
  const lane = createKeyLane({ laneId, alias, baseUrl, apiKey, allowPrivateAddresses, clock, log });
  const health = createLaneHealth({ laneId, kind: 'key', lanes, clock, random: Math.random, log }, doc);
  const slots = createSlots(concurrency);
  return {
    lane: { ...health, lane, acquire: (priority, signal) => slots.acquire(priority, signal) },
    concurrency,
    refresh: (changed) => health.refresh(changed),
    stop: () => lane.close(),
  };
}
