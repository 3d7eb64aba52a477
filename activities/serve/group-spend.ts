import { Context } from '@temporalio/activity';
import type { Clock } from '../../core/clock.ts';
import type { BatchSpend } from '../../core/contracts/batch-spend.ts';
import type { ServeLinesInput } from '../../core/contracts/batch.ts';
import type { AttemptFailure } from '../../core/contracts/failure.ts';
import { holdKey, isDeadHold } from '../../core/contracts/holds.ts';
import { isProviderHold } from '../../core/contracts/provider-run.ts';
import { REPLAN_AT_LEAST_AFTER_MS, REPLAN_AT_MOST_EVERY_MS } from '../../core/contracts/timings.ts';
import type { Logger } from '../../core/log.ts';
import { persist } from '../../core/persist.ts';
import type { CostMicros } from '../../lanes/prices/costs.ts';
import { meterOf } from '../../lanes/prices/lane-prices.ts';
import { mostCost } from '../../lanes/prices/most-cost.ts';
import type { BatchSpendStore } from '../../store/batch-spend.ts';
import type { LedgerStore } from '../../store/ledger.ts';
import type { ChunkRow } from '../batch/load-chunk.ts';
import { deliveryOf, type Delivery } from './delivery-of.ts';
import { keepHoldAlive } from './living-hold.ts';
import { settleLostDeliveries } from './lost-deliveries.ts';

export interface GroupSpendDeps {
  readonly batchSpend: BatchSpendStore;
  readonly ledger: Pick<LedgerStore, 'listOfItem'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a group of lines may spend. */
export interface GroupSpend {
  readonly isMetered: boolean;
  /** The most that a line may cost; undefined for a line that may not go out. */
  held(line: number): number | undefined;
  /** Why a line that may not go out may not. */
  refusal(line: number): AttemptFailure | undefined;
  /** Counts what a line cost, or may have cost. */
  charge(micros: number): void;
  /** Ends the hold with what was charged. */
  settle(): Promise<void>;
}

/** Room is tried for so often: it changes while others hold and settle. */
const TRIES = 5;

/**
 * Holds what a group of lines may cost at most before any of them goes out, or as many lines of it as there is room for. Every
 * delivery of the activity has a hold of its own; what a lost one left is settled first.
 * @param rows those of all its lines
 * @param open those that still have no outcome
 */
export async function openGroupSpend(
  deps: GroupSpendDeps,
  { batchId, chunkIndex, lane, lines }: ServeLinesInput,
  { rows, open }: { readonly rows: readonly ChunkRow[]; readonly open: readonly ChunkRow[] },
  costMicros: CostMicros,
): Promise<GroupSpend> {
  const { batchSpend, clock, log } = deps;
  const meter = lane.kind === 'plan' ? 'free' : meterOf(costMicros, lane.model);
  if (meter === 'free' || (open.length === 0 && Context.current().info.attempt === 1)) return free(meter !== 'free');
  if (meter === 'unknown') {
    if ((await batchSpend.find(batchId)).maxMicros === null) return free(true);
    const refusal = noConsent(`the price of ${lane.model} is unknown`);
    return { ...free(true), held: () => undefined, refusal: () => refusal };
  }

  const { info } = Context.current();
  const own = deliveryOf(info);
  const keyOf = (delivery: Delivery): string =>
    holdKey({ scheduledAt: info.scheduledTimestampMs, chunkIndex, ...delivery });
  const priced = (row: ChunkRow): PricedLine[] => {
    const micros = mostCost(costMicros, { ...row, model: lane.model });
    return micros === null ? [] : [{ line: row.line, micros }];
  };
  if (own.delivery > 1) {
    const mostOf = new Map(rows.flatMap(priced).map(({ line, micros }) => [line, micros]));
    const isOpen = new Set(open.map(({ line }) => line));
    await settleLostDeliveries(deps, { batchId, lines, mostOf, isOpen, keyOf, delivery: own });
  }
  const most = open.flatMap(priced);

  const hold = keyOf(own);
  const admitted = await holdAsMany(
    deps,
    batchId,
    hold,
    most.map(({ micros }) => micros),
  );
  const allowed = new Map(most.slice(0, admitted).map(({ line, micros }) => [line, micros]));
  const heldMicros = [...allowed.values()].reduce((total, micros) => total + micros, 0);
  const next = most[admitted];
  // Their tier has a price that nobody knows: as with a model's, they go out where there is no limit, and nothing is held.
  const known = new Set(most.map(({ line }) => line));
  const unpriced = new Set(open.map(({ line }) => line).filter((line) => !known.has(line)));
  const isRead = next !== undefined || unpriced.size > 0;
  // A delivery that ends here has sent nothing, and the next one would count all that it holds as spent.
  const spend = isRead ? await persist(log, () => batchSpend.find(batchId)) : undefined;
  const noRoom = next && spend && whyNoRoom(spend, hold, next.micros, clock.now());
  const isLimited = spend !== undefined && spend.maxMicros !== null;
  const stopRenewing = admitted > 0 ? keepHoldAlive(deps, batchId, hold) : undefined;
  let spentMicros = 0;
  return {
    isMetered: true,
    held: (line) => allowed.get(line) ?? (unpriced.has(line) && !isLimited ? 0 : undefined),
    refusal: (line) =>
      unpriced.has(line) ? noConsent(`the price of ${lane.model} at the tier asked for is unknown`) : noRoom,
    charge: (micros) => (spentMicros += micros),
    async settle() {
      stopRenewing?.();
      if (admitted > 0) await persist(log, () => batchSpend.settle(batchId, hold, heldMicros, spentMicros));
    },
  };
}

interface PricedLine {
  readonly line: number;
  /** The most that it may cost. */
  readonly micros: number;
}

/** Holds what the first of the lines may cost, as many as there is room for, and says how many. */
async function holdAsMany(
  { batchSpend, clock, log }: Pick<GroupSpendDeps, 'batchSpend' | 'clock' | 'log'>,
  batchId: string,
  hold: string,
  micros: readonly number[],
): Promise<number> {
  const sum = (count: number): number => micros.slice(0, count).reduce((total, one) => total + one, 0);
  let fits = micros.length;
  for (let tries = 0; fits > 0 && tries < TRIES; tries++) {
    const wanted = sum(fits);
    if (await persist(log, () => batchSpend.hold(batchId, hold, wanted, clock.now()))) return fits;
    const { roomMicros } = await persist(log, () => batchSpend.find(batchId));
    fits = micros.findLastIndex((_, index) => sum(index + 1) <= roomMicros) + 1;
  }
  return 0;
}

/** What is held, by others or by lines of this very group, may come back, and then there is room; what nobody holds is spent. */
function whyNoRoom(
  { roomMicros, holds, aliveAt = {} }: BatchSpend,
  ownHold: string,
  neededMicros: number,
  now: number,
): AttemptFailure {
  const alive = Object.entries(holds).filter(([key]) => key === ownHold || !isDeadHold(key, aliveAt[key], now));
  const sum = (held: typeof alive): number => held.reduce((total, [, micros]) => total + micros, 0);
  const mayComeBack = sum(alive);
  if (neededMicros > roomMicros + mayComeBack) return noConsent('the spend limit of the batch leaves no room for it');
  const comesBackAfterMs = (): number => {
    // What lines of this group leave over is known when this is read.
    if (Object.hasOwn(holds, ownHold)) return 0;
    // What a provider's batch holds comes back in hours: nobody needs to ask every few seconds.
    const ofLines = sum(alive.filter(([key]) => !isProviderHold(key)));
    return neededMicros > roomMicros + ofLines ? REPLAN_AT_MOST_EVERY_MS : REPLAN_AT_LEAST_AFTER_MS;
  };
  return {
    class: 'lane_unavailable',
    answerStarted: false,
    reachedUpstream: false,
    unavailableUntil: now + comesBackAfterMs(),
    reason: 'what other lines may cost takes up the spend limit of the batch for now',
  };
}

function noConsent(reason: string): AttemptFailure {
  return { class: 'consent_spent', answerStarted: false, reachedUpstream: false, reason };
}

/** Nothing is held, and nothing counted. */
function free(isMetered: boolean): GroupSpend {
  return {
    isMetered,
    held: () => 0,
    refusal: () => undefined,
    charge: () => undefined,
    settle: () => Promise.resolve(),
  };
}
