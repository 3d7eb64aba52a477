import { z } from 'zod';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { PRESET_NAMES, PROVIDER_PRESETS } from '../../lanes/openai/presets.ts';
import { laneHeadersPlace, laneSecretPlace, type LaneDoc } from '../../store/lanes.ts';
import { parseBody } from '../parse-body.ts';
import { aliasSchema, emptyLane } from './account-routes.ts';
import { headersToSeal, keyLaneFields, toModelMap, toPrices } from './key-lane-fields.ts';

/** Requests at a time at a provider, unless its owner says otherwise: far below the limits of a paid key. */
const DEFAULT_KEY_CONCURRENCY = 32;

const newKeyLaneSchema = z.object({
  alias: aliasSchema,
  preset: z.enum(PRESET_NAMES).optional(),
  baseUrl: keyLaneFields.baseUrl.optional(),
  apiKey: keyLaneFields.apiKey.optional(),
  models: keyLaneFields.models.optional(),
  allowPrivateAddresses: keyLaneFields.allowPrivateAddresses.optional(),
  concurrency: keyLaneFields.concurrency.default(DEFAULT_KEY_CONCURRENCY),
  authHeader: keyLaneFields.authHeader.optional(),
  headers: keyLaneFields.headers.default({}),
  modelMap: keyLaneFields.modelMap.default({}),
  prices: keyLaneFields.prices.default({}),
  batchPriceShare: keyLaneFields.batchPriceShare.optional(),
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
  const headers = headersToSeal(wish.headers);
  const empty = emptyLane(wish.alias, now);
  const modelMap = toModelMap(wish.modelMap);
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
      prices: toPrices(wish.prices),
      ...(wish.batchPriceShare === undefined ? {} : { batchPriceShare: wish.batchPriceShare }),
    },
  };
}
