import { z } from 'zod';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { PRESET_NAMES, PROVIDER_PRESETS } from '../../lanes/openai/presets.ts';
import { laneHeadersPlace, laneSecretPlace, type LaneDoc } from '../../store/lanes.ts';
import { parseBody } from '../parse-body.ts';
import { aliasSchema, emptyLane } from './account-routes.ts';

/** Requests at a time at a provider, unless its owner says otherwise: far below the limits of a paid key. */
const DEFAULT_KEY_CONCURRENCY = 32;

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

const newKeyLaneSchema = z.object({
  alias: aliasSchema,
  preset: z.enum(PRESET_NAMES).optional(),
  baseUrl: z.url({ protocol: /^https?$/ }).optional(),
  apiKey: z.string().min(1).optional(),
  models: z.array(modelName).min(1).max(MOST_MODELS).optional(),
  allowPrivateAddresses: z.boolean().optional(),
  concurrency: z.number().int().min(1).max(512).default(DEFAULT_KEY_CONCURRENCY),
  authHeader: headerName.optional(),
  headers: z.record(headerName, headerValue).default({}),
  modelMap: z.record(modelName, modelName).default({}),
  prices: z.record(modelName, z.object({ inputUsd: usd, cachedInputUsd: usd.optional(), outputUsd: usd })).default({}),
});

interface NewKeyLaneDeps {
  readonly secretBox: SecretBox;
  /** Unix milliseconds. */
  readonly now: number;
  /** @throws ApiError when a provider's address is not allowed */
  readonly checkAddress: (baseUrl: string, allowPrivateAddresses: boolean) => Promise<void>;
}

/**
 * The document of a new key lane: what the owner says, and for the rest what its provider's preset says. Not stored yet.
 * @throws ApiError that names the parameter at fault
 */
export async function newKeyLane({ secretBox, now, checkAddress }: NewKeyLaneDeps, body: unknown): Promise<LaneDoc> {
  const wish = parseBody(newKeyLaneSchema, body);
  const preset = wish.preset === undefined ? undefined : PROVIDER_PRESETS[wish.preset];
  const baseUrl = wish.baseUrl ?? preset?.baseUrl ?? null;
  if (baseUrl === null) {
    const example = preset?.baseUrlExample === undefined ? '' : ` It looks like ${preset.baseUrlExample}`;
    throw new ApiError('missing_required_parameter', `Missing required parameter: 'baseUrl'.${example}`, {
      param: 'baseUrl',
    });
  }
  // The header must say something: whoever serves without a key does not look at it.
  const apiKey = wish.apiKey ?? (preset?.keyOptional === true ? 'none' : undefined);
  if (apiKey === undefined) {
    throw new ApiError('missing_required_parameter', "Missing required parameter: 'apiKey'.", { param: 'apiKey' });
  }
  const allowPrivateAddresses = wish.allowPrivateAddresses ?? preset?.allowPrivateAddresses ?? false;
  await checkAddress(baseUrl, allowPrivateAddresses);
  const authHeader = (wish.authHeader ?? preset?.authHeader ?? 'authorization').toLowerCase();
  const reserved = Object.keys(wish.headers).find((name) => OWN_HEADERS.has(name.toLowerCase()));
  if (reserved !== undefined || Object.keys(wish.headers).length > MOST_HEADERS) {
    const why =
      reserved === undefined ? `more than ${MOST_HEADERS} headers` : `the header '${reserved}' is the request's own`;
    throw new ApiError('invalid_value', `Invalid 'headers': ${why}.`, { param: 'headers' });
  }
  const empty = emptyLane(wish.alias, now);
  const headers = Object.keys(wish.headers).length === 0 ? null : JSON.stringify(wish.headers);
  const modelMap = Object.entries(wish.modelMap).map(([asked, upstream]) => ({ asked, upstream }));
  return {
    ...empty,
    kind: 'key',
    state: 'ready',
    concurrency: wish.concurrency,
    // With a map alone the lane has the models of the map; without both it has any.
    models: wish.models ?? (modelMap.length > 0 ? [] : ['*']),
    baseUrl,
    sealedKey: secretBox.seal(apiKey, laneSecretPlace(empty._id)),
    allowPrivateAddresses,
    keySettings: {
      preset: wish.preset ?? null,
      authHeader,
      sealedHeaders: headers === null ? null : secretBox.seal(headers, laneHeadersPlace(empty._id)),
      modelMap,
      prices: Object.entries(wish.prices).map(([model, price]) => ({
        model,
        inputUsd: price.inputUsd,
        cachedInputUsd: price.cachedInputUsd ?? price.inputUsd,
        outputUsd: price.outputUsd,
      })),
    },
  };
}
