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

/** @param amount dollars; what is below a cent is shown all the same, as a single request costs less. */
export function formatDollars(amount: number | null): string {
  if (amount === null) return UNKNOWN;
  if (amount <= 0 || amount >= 0.01) return `$${amount.toFixed(2)}`;
  return amount < 0.0001 ? '<$0.0001' : `$${amount.toFixed(4)}`;
}

export function formatText(text: string | null | undefined): string {
  return text === null || text === undefined || text === '' ? UNKNOWN : text;
}

export function formatList(items: readonly string[]): string {
  return items.length === 0 ? UNKNOWN : items.join(', ');
}
