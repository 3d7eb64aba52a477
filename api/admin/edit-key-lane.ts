import { z } from 'zod';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { presetOf } from '../../lanes/openai/presets.ts';
import { laneHeadersPlace, laneSecretPlace, type KeyLaneEdit, type LaneDoc } from '../../store/lanes.ts';
import { parseBody } from '../parse-body.ts';
import { aliasSchema } from './account-routes.ts';
import { headersToSeal, keyLaneFields, rankSchema, toModelMap, toPrices } from './key-lane-fields.ts';

const editSchema = z.object({ alias: aliasSchema, rank: rankSchema, ...keyLaneFields }).partial();

interface EditKeyLaneDeps {
  readonly secretBox: SecretBox;
  /** @throws ApiError when a provider's address is not allowed */
  readonly checkAddress: (baseUrl: string, allowPrivateAddresses: boolean) => Promise<void>;
}

export interface EditedKeyLane {
  readonly edit: KeyLaneEdit;
  /** True when the lane is another one for what it learnt of itself: its address or its key has changed. */
  readonly isRenewed: boolean;
}

/**
 * What an owner's wish changes of a key lane; lists and maps take the place of those that were there. Not stored yet.
 * @throws ApiError that names the parameter at fault
 */
export async function editKeyLane(
  { secretBox, checkAddress }: EditKeyLaneDeps,
  lane: LaneDoc,
  body: unknown,
): Promise<EditedKeyLane> {
  const { apiKey, authHeader, headers, modelMap, prices, batchPriceShare, ...fields } = parseBody(editSchema, body);
  const { baseUrl, allowPrivateAddresses } = fields;
  const settings = [apiKey, authHeader, headers, modelMap, prices, batchPriceShare];
  if ([...settings, ...Object.values(fields)].every((value) => value === undefined)) {
    throw new ApiError('invalid_request', 'Nothing to change was given.');
  }
  const isElsewhere = baseUrl !== undefined && originOf(baseUrl) !== originOf(lane.baseUrl);
  if (baseUrl !== undefined || allowPrivateAddresses !== undefined) {
    await checkAddress(baseUrl ?? lane.baseUrl ?? '', allowPrivateAddresses ?? lane.allowPrivateAddresses);
  }
  // Secrets go in and never come out, so nobody may have them sent to a place for which they were not given.
  if (isElsewhere && apiKey === undefined && !isKeyOptional(lane)) throw missing('apiKey', 'key (--key or --key-env)');
  if (isElsewhere && headers === undefined && (lane.keySettings?.sealedHeaders ?? null) !== null) {
    throw missing('headers', 'headers');
  }
  const key = apiKey ?? (isElsewhere ? 'none' : openKey(secretBox, lane));
  const isRenewed = apiKey !== undefined || (baseUrl !== undefined && baseUrl !== lane.baseUrl);
  const toSeal = headers === undefined ? undefined : headersToSeal(headers);
  const keySettings = given({
    authHeader: authHeader?.toLowerCase(),
    sealedHeaders: typeof toSeal === 'string' ? secretBox.seal(toSeal, laneHeadersPlace(lane._id)) : toSeal,
    modelMap: modelMap && toModelMap(modelMap),
    prices: prices && toPrices(prices),
    batchPriceShare,
  });
  return {
    edit: {
      ...given(fields),
      // Sealed anew also where only the address has changed: by it processes know whether they still have the lane as it is.
      ...(isRenewed ? { sealedKey: secretBox.seal(key, laneSecretPlace(lane._id)) } : {}),
      ...(Object.keys(keySettings).length === 0 ? {} : { keySettings }),
    },
    isRenewed,
  };
}

/** A server without keys gets one that says nothing, wherever it is. */
function isKeyOptional({ keySettings }: LaneDoc): boolean {
  return presetOf(keySettings)?.keyOptional ?? false;
}

function openKey(secretBox: SecretBox, { _id, sealedKey }: LaneDoc): string {
  return sealedKey === null ? 'none' : secretBox.open(sealedKey, laneSecretPlace(_id));
}

function originOf(url: string | null): string | null {
  return url === null ? null : new URL(url).origin;
}

function missing(param: string, what: string): ApiError {
  const message = `The address is at another host: give the ${what} for it as well ('${param}').`;
  return new ApiError('missing_required_parameter', message, { param });
}

/** The fields that have a value. */
function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}
