import { InvalidArgumentError } from 'commander';

/** A positive whole number of an option. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a positive whole number.');
  return Number(text);
}

/** A percentage of an option, 0 to 100. */
export function parsePercent(text: string): number {
  if (!/^(\d{1,2}|100)$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 to 100.');
  return Number(text);
}

/** `name=value` of an option that may be repeated: gathered into one object; the first `=` separates. */
export function gatherPair(text: string, gathered: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It looks like name=value.');
  return { ...gathered, [text.slice(0, at)]: text.slice(at + 1) };
}

export interface PriceArgument {
  readonly inputUsd: number;
  readonly outputUsd: number;
  readonly cachedInputUsd?: number;
}

const PRICE_LOOKS_LIKE = 'It looks like model=2.5/10, or model=2.5/10/0.25 with a price for cached input.';

/** `model=input/output` or `model=input/output/cached`, in dollars for a million tokens; gathered like pairs. */
export function gatherPrice(
  text: string,
  gathered: Readonly<Record<string, PriceArgument>> = {},
): Record<string, PriceArgument> {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new InvalidArgumentError(PRICE_LOOKS_LIKE);
  const [inputUsd, outputUsd, cachedInputUsd, ...rest] = text
    .slice(at + 1)
    .split('/')
    .map(readUsd);
  if (inputUsd === undefined || outputUsd === undefined || rest.length > 0) {
    throw new InvalidArgumentError(PRICE_LOOKS_LIKE);
  }
  const price = { inputUsd, outputUsd, ...(cachedInputUsd === undefined ? {} : { cachedInputUsd }) };
  return { ...gathered, [text.slice(0, at)]: price };
}

function readUsd(text: string): number {
  if (!/^\d{1,5}(\.\d{1,6})?$/.test(text)) throw new InvalidArgumentError('A price is a number of dollars, as 2.5.');
  return Number(text);
}

/** What `--batch-price` means, where a lane is added and where it is changed. */
export const BATCH_PRICE_HELP =
  "use the provider's own Batch API for batches that can wait, at this share of the usual price, as 0.5";

/** A share of an option, 0 to 1. */
export function parseShare(text: string): number {
  if (!/^(0(\.\d{1,4})?|1(\.0{1,4})?)$/.test(text)) throw new InvalidArgumentError('It must be a share, as 0.5.');
  return Number(text);
}

/** A time of an option, as 2026-11-20T12:00:00Z or in Unix milliseconds. */
export function parseTime(text: string): number {
  const time = /^\d{10,14}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be a time, as 2026-11-20T12:00:00Z.');
  return time;
}
