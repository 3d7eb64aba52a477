import type { LaneTotalsShown, LogEntryShown } from './admin-http.ts';
import type { BatchCheck } from './check-batch.ts';
import { formatTable } from './table.ts';

/** A batch's lines and cost by lane, in the order of `aliases`; lines that no lane served come last. */
export function showLanes(totals: readonly LaneTotalsShown[], aliases: ReadonlyMap<string, string>): string {
  const order = [...aliases.keys()];
  const place = ({ laneId }: LaneTotalsShown): number => {
    const at = order.indexOf(laneId ?? '');
    return at < 0 ? order.length : at;
  };
  return formatTable(
    ['lane', 'lines', 'paid', 'on the meter'],
    totals
      .toSorted((one, other) => place(one) - place(other))
      .map(({ laneId, entries, costMicros, meterMicros }) => [
        laneId === null ? 'none' : (aliases.get(laneId) ?? laneId),
        entries,
        usd(costMicros),
        usd(meterMicros),
      ]),
  );
}

/** Lines that took more than one lane and are shown: enough to see how a batch goes on when an account runs out. */
const MOVED_SHOWN = 4;

/** Of the lane log the first line that each lane served, and lines that one lane passed on to another. */
export function showLog(entries: readonly LogEntryShown[], aliases: ReadonlyMap<string, string>): string {
  const name = (laneId: string | null): string => (laneId === null ? 'none' : (aliases.get(laneId) ?? laneId));
  const firsts = [...aliases.keys()].flatMap((laneId) => entries.find((entry) => entry.laneId === laneId) ?? []);
  const moved = entries.filter(({ attempts }) => attempts.length > 1).slice(0, MOVED_SHOWN);
  return formatTable(
    ['line', 'attempts', 'ms', 'tokens in', 'out', 'paid', 'on the meter'],
    entries
      .filter((entry) => firsts.includes(entry) || moved.includes(entry))
      .map(({ id, attempts, usage, costMicros, meterMicros }) => [
        Number(id.slice(id.indexOf(':') + 1)),
        attempts.map(({ laneId, outcome }) => `${name(laneId)} ${outcome}`).join(', then '),
        attempts.reduce((sum, { durationMs }) => sum + durationMs, 0),
        usage?.promptTokens ?? '',
        usage?.completionTokens ?? '',
        costMicros === null ? 'unknown' : usd(costMicros),
        meterMicros === null ? 'unknown' : usd(meterMicros),
      ]),
  );
}

/** What the checker found, with the model calls that the stand-ins saw. */
export function showOutcome(
  check: BatchCheck,
  totals: readonly LaneTotalsShown[],
  upstreamCalls: number,
  seconds: number,
): string {
  const sum = (pick: (row: LaneTotalsShown) => number): number => totals.reduce((all, row) => all + pick(row), 0);
  return formatTable(
    ['batch', 'value'],
    [
      ['lines in', check.expected],
      ['lines answered', check.completed],
      ['lines failed', check.failed],
      ['lines lost', check.lost.length],
      ['lines twice', check.twice.length],
      // Calls that brought no line its answer: refused by a window that was out, cut off, or answered a second time.
      ['attempts wasted', upstreamCalls - check.completed],
      ['cost paid', usd(sum((row) => row.costMicros))],
      ['cost on the meter', usd(sum((row) => row.meterMicros))],
      ['rows a second', (check.expected / seconds).toFixed(1)],
    ],
  );
}

function usd(micros: number): string {
  return `$${(micros / 1_000_000).toFixed(4)}`;
}
