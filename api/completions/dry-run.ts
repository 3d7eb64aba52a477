import type { Clock } from '../../core/clock.ts';
import { toUnixSeconds } from '../../core/clock.ts';
import { decide } from '../../core/contracts/decide.ts';
import { drilledSignal, drillFailure } from '../../core/contracts/drill.ts';
import type { Operation } from '../../core/lane-port.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { LanePermissions } from '../../lanes/policy/plan-lanes.ts';
import type { ShareKey } from '../../lanes/policy/share-order.ts';
import { choosePlan } from './choose-plan.ts';
import { misfitOfPlans } from './fit-for-plans.ts';
import { placeDrill, type DrillWish } from './read-drill.ts';

/** What a request would come to on one lane of its route. */
interface DryLane {
  readonly lane: string;
  readonly account: string;
  readonly kind: 'plan' | 'key';
  /** The model's name at the lane. */
  readonly model: string;
  /** From 1. Lanes of one rung share: each of them is tried before the next rung is. */
  readonly rung: number;
  /** Its part of its rung's requests beside the other weights; null where the least busy goes first. */
  readonly weight: number | null;
  /** Requests under way on it, as far as this process knows, and how many it takes at a time. */
  readonly in_flight: number;
  readonly slots: number;
  /**
   * takes: the request goes here. after: only if those before it fail. out: until `until`. cannot: whatever happens.
   * drilled: its failure is played, as the request's own header wants it.
   */
  readonly verdict: 'takes' | 'after' | 'out' | 'cannot' | 'drilled';
  readonly why: string;
  /** Unix seconds, for lanes that are out. */
  readonly until?: number;
}

export interface DryRun {
  readonly object: 'flatlane.dry_run';
  readonly model: string;
  /** The lane that the request would take now; null when none is open to it. */
  readonly lane: string | null;
  readonly path: 'direct' | 'workflow';
  readonly lanes: readonly DryLane[];
  /** Lanes of the route that are left out until somebody does something: closed ones, and metered ones without consent. */
  readonly left_out: readonly string[];
}

interface DryRunDeps {
  readonly directory: LaneDirectory;
  readonly clock: Clock;
}

interface DryRequest {
  readonly operation: Operation;
  readonly body: { readonly model: string; readonly stream?: boolean | null | undefined };
  readonly permissions: LanePermissions;
  /** The caller wants every parameter to have its effect. */
  readonly strict: boolean;
  /** By what lanes that share are put in order. */
  readonly shareKey: () => ShareKey;
  /** The failure that would be played on the request. */
  readonly drillWish?: DrillWish | undefined;
}

/**
 * Says which lane a request would take, and why, from what is known of the lanes. Nothing is stored, started or asked.
 * @throws ApiError as the request itself would get for an unknown model, or one that its key may not use
 */
export async function dryRun({ directory, clock }: DryRunDeps, request: DryRequest): Promise<DryRun> {
  const { operation, body, permissions, strict, shareKey, drillWish } = request;
  const plan = await directory.plan(body.model, permissions, shareKey);
  if (!plan.known || plan.forbidden) await choosePlan(directory, body.model, permissions, clock, operation);
  if (!plan.known) throw new Error('a model that is not known was planned');
  const refusedByPlans = misfitOfPlans(operation, body, strict)?.reason;
  const now = clock.now();
  const drill = placeDrill(drillWish, plan.lanes);
  let played: 'not yet' | 'to its end' | 'and gone on' = 'not yet';
  let taken: string | null = null;
  const lanes = plan.lanes.map((planned, index): DryLane => {
    const { laneId, alias, kind, model, concurrency: slots, unavailableUntil, backsOff } = planned;
    const { rung = 0, weight = null, inFlight: in_flight = 0 } = plan.standings[index] ?? {};
    const shared = { lane: laneId, account: alias, kind, model, rung, weight, in_flight, slots };
    if (kind === 'plan' && refusedByPlans !== undefined) return { ...shared, verdict: 'cannot', why: refusedByPlans };
    if (unavailableUntil > now) {
      const why =
        backsOff === true
          ? 'the lane pauses after failures or a rate limit, or waits for its worker'
          : 'the lane is out of its window';
      return { ...shared, verdict: 'out', why, until: toUnixSeconds(unavailableUntil) };
    }
    if (taken !== null || played === 'to its end') {
      return { ...shared, verdict: 'after', why: 'if those before it fail' };
    }
    const signal = drilledSignal(drill, laneId, played === 'not yet' ? 1 : 2);
    if (signal !== undefined) {
      const failure = drillFailure(signal, body.stream === true);
      const { act } = decide({ failure, triesOnLane: 1, now });
      played = act === 'fail' ? 'to its end' : 'and gone on';
      if (act === 'fail') return { ...shared, verdict: 'drilled', why: `${failure.reason}; the caller gets the error` };
      if (act === 'next' || drill?.laneId !== undefined) {
        return { ...shared, verdict: 'drilled', why: `${failure.reason}; the request goes to the next lane` };
      }
      taken = laneId;
      return {
        ...shared,
        verdict: 'takes',
        why: `at its second try, behind a failure that is played (${failure.reason})`,
      };
    }
    taken = laneId;
    return { ...shared, verdict: 'takes', why: 'the first of its route that is open and can do this' };
  });
  return {
    object: 'flatlane.dry_run',
    model: body.model,
    lane: taken,
    path: plan.direct ? 'direct' : 'workflow',
    lanes,
    left_out: [...plan.closed, ...plan.withheld.map((alias) => `${alias} (metered spend needs consent)`)],
  };
}
