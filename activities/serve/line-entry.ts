import type { AttemptRecord } from '../../core/contracts/failure.ts';
import { lineKey } from '../../core/contracts/ids.ts';
import type { LaneRef } from '../../core/contracts/lane.ts';
import type { TokenUsage } from '../../core/lane-port.ts';
import { newRequestId } from '../../core/ids.ts';
import type { Costs } from '../../lanes/prices/costs.ts';
import type { LineEntry } from './line-recorder.ts';

export interface LineFacts {
  readonly batchId: string;
  readonly keyId: string;
  readonly line: number;
  readonly customId: string;
  readonly model: string;
  readonly kind: 'completed' | 'failed';
  readonly status: number;
  /** JSON text of the answer or of the error body. */
  readonly body: string;
  /** The lane that gave it; null when none did. */
  readonly lane: LaneRef | null;
  readonly attempts: readonly AttemptRecord[];
  readonly usage: TokenUsage | null;
  readonly costs: Costs;
  /** Key of the attempt that is paid for; absent when nothing was answered. */
  readonly ledgerKey?: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** The documents that a line's outcome becomes. */
export function toLineEntry(facts: LineFacts): LineEntry {
  const { batchId, keyId, line, customId, model, kind, status, body, lane, attempts, usage, costs, ledgerKey, at } =
    facts;
  const itemId = lineKey(batchId, line);
  const laneId = lane?.laneId ?? null;
  return {
    result: {
      _id: itemId,
      batchId,
      line,
      customId,
      kind,
      statusCode: status,
      requestId: newRequestId(),
      body,
      error: null,
      laneId,
      usage,
      ...costs,
      at,
    },
    log: {
      _id: itemId,
      kind: 'line',
      keyId,
      batchId,
      model,
      status: kind === 'completed' ? 'answered' : 'failed',
      httpStatus: status,
      laneId,
      laneAlias: lane?.alias ?? null,
      attempts,
      usage,
      ...costs,
      at,
    },
    ...(ledgerKey === undefined || laneId === null
      ? {}
      : { ledger: { _id: ledgerKey, itemId, batchId, keyId, laneId, ...costs, at } }),
  };
}
