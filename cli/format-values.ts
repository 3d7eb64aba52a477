/** How values are shown in tables. Unknown is a dash, never a 0. */

export const UNKNOWN = '-';

/** @param ms Unix milliseconds; shown in UTC to the minute. */
export function formatTime(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')}Z`;
}

/** @param micros millionths of a dollar. */
export function formatUsd(micros: number | null | undefined): string {
  return micros === null || micros === undefined ? UNKNOWN : `$${(micros / 1_000_000).toFixed(6)}`;
}

export function formatText(text: string | null | undefined): string {
  return text === null || text === undefined || text === '' ? UNKNOWN : text;
}

export function formatList(items: readonly string[]): string {
  return items.length === 0 ? UNKNOWN : items.join(', ');
}
