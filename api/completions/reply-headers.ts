import type { ReplyMeta } from '../../core/reply.ts';

/** What each call says of itself, as response headers. What is unknown is left out. */
export function metaHeaders(meta: ReplyMeta): Record<string, string> {
  const { laneId, laneAlias, attempts, costMicros, meterMicros, ignoredParams } = meta;
  return {
    ...laneHeaders({ laneId, laneAlias, attempts }),
    ...(costMicros === null ? {} : { 'x-flatlane-cost-usd': usd(costMicros) }),
    ...(meterMicros === null ? {} : { 'x-flatlane-meter-usd': usd(meterMicros) }),
    ...(ignoredParams.length === 0 ? {} : { 'x-flatlane-ignored-params': toHeader(ignoredParams) }),
  };
}

/** The part that is known before the answer is complete. */
export function laneHeaders(lane: Pick<ReplyMeta, 'laneId' | 'laneAlias' | 'attempts'>): Record<string, string> {
  return {
    'x-flatlane-lane': lane.laneId,
    'x-flatlane-account': encodeURIComponent(lane.laneAlias),
    'x-flatlane-attempts': String(lane.attempts),
  };
}

const LONGEST_HEADER = 1_000;

/** The names are the caller's own words: what a header can't hold would fail an answer that is paid for already. */
function toHeader(names: readonly string[]): string {
  return names
    .join(', ')
    .replaceAll(/[^\x20-\x7e]/g, '?')
    .slice(0, LONGEST_HEADER);
}

/** Millionths of a dollar as dollars. */
function usd(micros: number): string {
  return (micros / 1_000_000).toFixed(6);
}
