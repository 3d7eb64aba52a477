import type { Progress } from './api-shapes.ts';
import { formatDollars, formatText, formatTime } from './format-values.ts';
import { formatTable, printable } from './table.ts';

const BAR_CELLS = 24;

/** How far a batch is, on one line. */
export function progressLine(progress: Progress): string {
  const { lines, status } = progress;
  const done = lines.completed + lines.failed;
  const share = lines.total === 0 ? 0 : done / lines.total;
  const cells = Math.floor(share * BAR_CELLS);
  const parts = [
    `[${'#'.repeat(cells)}${'.'.repeat(BAR_CELLS - cells)}] ${String(Math.floor(share * 100)).padStart(3)}%`,
    `${done}/${lines.total}`,
    progress.paused ? 'paused' : status,
    ...(lines.failed > 0 ? [`${lines.failed} failed`] : []),
    ...(progress.rate_per_second === null ? [] : [`${progress.rate_per_second.toFixed(1)}/s`]),
    ...(progress.expected_end === null ? [] : [`ends ${formatTime(progress.expected_end * 1000)}`]),
    ...waiting(progress),
    `${formatDollars(progress.cost_usd)} paid`,
    `${formatDollars(progress.meter_usd)} on the meter`,
  ];
  return printable(parts.join('  '));
}

/** Lines and cost by lane. */
export function laneTable({ by_lane, status }: Progress): string {
  return formatTable(
    ['lane', 'completed', 'failed', 'paid', 'on the meter'],
    by_lane.map(({ lane, account, completed, failed, cost_usd, meter_usd }) => [
      formatText(account ?? lane),
      String(completed),
      String(failed),
      formatDollars(cost_usd),
      formatDollars(meter_usd),
    ]),
    status === 'failed' ? 'No line was sent out.' : 'No line is done yet.',
  );
}

function waiting({ waiting_until, waiting_why }: Progress): string[] {
  if (waiting_why === null) return [];
  return [
    waiting_until === null
      ? `waits: ${waiting_why}`
      : `waits until ${formatTime(waiting_until * 1000)}: ${waiting_why}`,
  ];
}
