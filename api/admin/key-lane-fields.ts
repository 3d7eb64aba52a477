import { z } from 'zod';
import { ApiError } from '../../core/errors.ts';
import type { KeyLaneSettings } from '../../store/lanes.ts';

/** Entries of each list: a provider has some hundred models, a proxy wants a handful of headers. */
const MOST_MODELS = 1_000;
const MOST_HEADERS = 20;

/** What belongs to the request itself, or steers the connection. */
const OWN_HEADERS = new Set(['host', 'content-length', 'content-type', 'connection', 'transfer-encoding', 'accept']);

const modelName = z.string().min(1).max(200);
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/);
const headerValue = z
  .string()
  .max(4_000)
  .regex(/^[\t\x20-\x7e]*$/);
const usd = z.number().min(0).max(10_000);
const pricesSchema = z.record(modelName, z.object({ inputUsd: usd, cachedInputUsd: usd.optional(), outputUsd: usd }));
const modelMapSchema = z.record(modelName, modelName);

/** What an owner says of a key lane, when it is added and when it is changed. */
export const keyLaneFields = {
  baseUrl: z.url({ protocol: /^https?$/ }),
  apiKey: z.string().min(1),
  models: z.array(modelName).min(1).max(MOST_MODELS),
  allowPrivateAddresses: z.boolean(),
  concurrency: z.number().int().min(1).max(512),
  authHeader: headerName,
  headers: z.record(headerName, headerValue),
  modelMap: modelMapSchema,
  prices: pricesSchema,
  batchPriceShare: z.number().min(0).max(1).nullable(),
} as const;

/** The place of a lane among those of its kind, smaller first; lanes of one rank share. A new lane's is the time of its adding. */
export const rankSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/**
 * Further headers as they are stored once they are sealed; null for none.
 * @throws ApiError for headers that are the request's own, and for too many
 */
export function headersToSeal(headers: Readonly<Record<string, string>>): string | null {
  const names = Object.keys(headers);
  const reserved = names.find((name) => OWN_HEADERS.has(name.toLowerCase()));
  if (reserved !== undefined || names.length > MOST_HEADERS) {
    const why =
      reserved === undefined ? `more than ${MOST_HEADERS} headers` : `the header '${reserved}' is the request's own`;
    throw new ApiError('invalid_value', `Invalid 'headers': ${why}.`, { param: 'headers' });
  }
  return names.length === 0 ? null : JSON.stringify(headers);
}

/** Names of models are values when they are stored, never names of fields. */
export function toModelMap(map: z.infer<typeof modelMapSchema>): KeyLaneSettings['modelMap'] {
  return Object.entries(map).map(([asked, upstream]) => ({ asked, upstream }));
}

/** Cached input costs what input costs where nothing is said of it. */
export function toPrices(prices: z.infer<typeof pricesSchema>): KeyLaneSettings['prices'] {
  return Object.entries(prices).map(([model, { inputUsd, cachedInputUsd = inputUsd, outputUsd }]) => ({
    model,
    inputUsd,
    cachedInputUsd,
    outputUsd,
  }));
}
