import { formatUsd } from '../../core/wire/batch-wishes.ts';
import type { BatchDoc } from '../../store/batches.ts';

/** How a batch runs, and what it may spend, as its owner sees it. Amounts are US dollars as decimal texts. */
export function toControlView({ _id, status, control, spend }: BatchDoc) {
  const heldMicros = Object.values(spend.holds).reduce((sum, micros) => sum + micros, 0);
  const isLimited = spend.maxMicros !== null;
  return {
    id: _id,
    object: 'batch.control' as const,
    status,
    paused: control.paused,
    priority: control.priority,
    spill: control.spill,
    metered: control.metered,
    max_metered_usd: spend.maxMicros === null ? null : formatUsd(spend.maxMicros),
    /** What was paid, what lines that are out may cost at most, and what is left; null without a limit. */
    metered_usd: {
      paid: formatUsd(spend.paidMicros),
      held: formatUsd(heldMicros),
      left: isLimited ? formatUsd(Math.max(0, spend.roomMicros)) : null,
    },
  };
}

export type ControlView = ReturnType<typeof toControlView>;
