import type { Clock } from '../../core/clock.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import { lanePrices } from '../prices/lane-prices.ts';
import { createKeyLane, type KeyLane } from './key-lane.ts';
import { presetOf } from './presets.ts';

/** A key lane as it is stored. */
export interface StoredKeyLane {
  readonly _id: string;
  readonly alias: string;
  readonly baseUrl: string | null;
  readonly sealedKey: string | null;
  readonly allowPrivateAddresses: boolean;
  readonly keySettings: {
    readonly preset: string | null;
    readonly authHeader: string;
    readonly sealedHeaders: string | null;
    readonly prices: readonly {
      readonly model: string;
      readonly inputUsd: number;
      readonly cachedInputUsd: number;
      readonly outputUsd: number;
    }[];
    readonly batchPriceShare?: number | null;
  } | null;
}

/** All that a key lane is opened with, as one text: when it changes, the lane is opened anew. */
export function openedWith({ baseUrl, sealedKey, allowPrivateAddresses, keySettings }: StoredKeyLane): string {
  return JSON.stringify([baseUrl, sealedKey, allowPrivateAddresses, keySettings]);
}

interface OpenKeyLaneDeps {
  /** Open what was sealed for this lane. @throws Error when it was sealed with another master key */
  readonly openKey: (sealed: string) => string;
  readonly openHeaders: (sealed: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface OpenKeyLane {
  readonly lane: KeyLane;
  /** Prices with the owner's own; absent where there are none. */
  readonly costMicros?: (model: string, usage: TokenUsage | null) => number | null;
}

/**
 * A stored key lane, ready to serve: its secrets opened, its provider's quirks and its own prices in place.
 * @throws Error when it lacks an address or a key, or was sealed with another master key
 */
export function openKeyLane({ openKey, openHeaders, clock, log }: OpenKeyLaneDeps, stored: StoredKeyLane): OpenKeyLane {
  const { _id: laneId, alias, baseUrl, sealedKey, allowPrivateAddresses, keySettings } = stored;
  if (baseUrl === null || sealedKey === null) throw new Error(`key lane ${alias} has no address or no key`);
  const sealedHeaders = keySettings?.sealedHeaders ?? null;
  const lane = createKeyLane({
    laneId,
    alias,
    baseUrl,
    apiKey: openKey(sealedKey),
    allowPrivateAddresses,
    ...(sealedHeaders === null ? {} : { headers: JSON.parse(openHeaders(sealedHeaders)) as Record<string, string> }),
    ...(keySettings === null ? {} : { authHeader: keySettings.authHeader }),
    quirks: presetOf(keySettings)?.quirks ?? {},
    clock,
    log,
  });
  const prices = keySettings?.prices ?? [];
  if (prices.length === 0) return { lane };
  return { lane, costMicros: lanePrices(keySettings) };
}
