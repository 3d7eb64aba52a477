import { InvalidArgumentError } from 'commander';

/** A positive whole number of an option. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a positive whole number.');
  return Number(text);
}

/** A time of an option, as 2026-11-20T12:00:00Z or in Unix milliseconds. */
export function parseTime(text: string): number {
  const time = /^\d{10,14}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be a time, as 2026-11-20T12:00:00Z.');
  return time;
}
