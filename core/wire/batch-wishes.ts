import { BATCH_PRIORITIES, BATCH_SPILLS, DEFAULT_CONTROL, type BatchControl } from '../contracts/batch-control.ts';
import { ApiError } from '../errors.ts';

/** What the metadata of a new batch says of how it runs. */
export interface BatchWishes {
  readonly control: BatchControl;
  /** Millionths of a dollar; null: no limit of its own. */
  readonly maxMicros: number | null;
}

const MICROS_IN_A_DOLLAR = 1_000_000;

/** A million dollars: more is a slip of the keyboard. */
const MOST_DOLLARS = 1_000_000;

type Pairs = readonly { readonly key: string; readonly value: string }[] | null;

/**
 * Reads `max_metered_usd`, `flatlane_spill` and `flatlane_priority` out of a batch's metadata; other keys are the caller's own.
 * @throws ApiError invalid_value that names the key
 */
export function readBatchWishes(metadata: Pairs): BatchWishes {
  const values = new Map((metadata ?? []).map(({ key, value }) => [key, value]));
  const max = values.get('max_metered_usd');
  return {
    control: {
      ...DEFAULT_CONTROL,
      spill: oneOf(BATCH_SPILLS, values.get('flatlane_spill'), 'metadata.flatlane_spill') ?? DEFAULT_CONTROL.spill,
      priority:
        oneOf(BATCH_PRIORITIES, values.get('flatlane_priority'), 'metadata.flatlane_priority') ??
        DEFAULT_CONTROL.priority,
    },
    maxMicros: max === undefined ? null : readUsd(max, 'metadata.max_metered_usd'),
  };
}

/**
 * An amount of US dollars as a decimal text, in whole millionths.
 * @throws ApiError invalid_value for anything else, and for more than a million
 */
export function readUsd(text: string, param: string): number {
  const [, whole = '', fraction = ''] = /^(\d{1,7})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  const micros = Number(whole) * MICROS_IN_A_DOLLAR + Number(fraction.padEnd(6, '0'));
  if (whole !== '' && micros <= MOST_DOLLARS * MICROS_IN_A_DOLLAR) return micros;
  throw new ApiError(
    'invalid_value',
    `Invalid '${param}': expected US dollars as a decimal text, as '2.50', with at most 6 digits behind the point and at most ${MOST_DOLLARS}.`,
    { param },
  );
}

/** An amount as a decimal text without needless zeros behind the second digit, as '2.50'. */
export function formatUsd(micros: number): string {
  const [whole = '0', fraction = ''] = (micros / MICROS_IN_A_DOLLAR).toFixed(6).split('.');
  return `${whole}.${fraction.replace(/0{1,4}$/, '')}`;
}

function oneOf<Value extends string>(
  allowed: readonly Value[],
  value: string | undefined,
  param: string,
): Value | undefined {
  if (value === undefined) return undefined;
  const known = allowed.find((candidate) => candidate === value);
  if (known !== undefined) return known;
  const names = allowed.map((name) => `'${name}'`).join(', ');
  throw new ApiError('invalid_value', `Invalid '${param}': expected one of ${names}.`, { param });
}
