import type { Clock } from '../../core/clock.ts';
import { toUnixSeconds } from '../../core/clock.ts';
import type { Operation } from '../../core/lane-port.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';
import { responsesRequestSchema } from '../../core/wire/responses-request.ts';
import { isRefusal } from '../../lanes/codex/refusal.ts';
import { translateRequest } from '../../lanes/codex/translate-request.ts';
import { translateResponses } from '../../lanes/codex/translate-responses.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import type { LanePermissions } from '../../lanes/policy/plan-lanes.ts';
import { choosePlan } from './choose-plan.ts';

/** What a request would come to on one lane of its route. */
interface DryLane {
  readonly lane: string;
  readonly account: string;
  readonly kind: 'plan' | 'key';
  /** The model's name at the lane. */
  readonly model: string;
  /** takes: the request goes here. after: only if those before it fail. out: until `until`. cannot: whatever happens. */
  readonly verdict: 'takes' | 'after' | 'out' | 'cannot';
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
  readonly body: { readonly model: string };
  readonly permissions: LanePermissions;
}

/**
 * Says which lane a request would take, and why, from what is known of the lanes. Nothing is stored, started or asked.
 * @throws ApiError as the request itself would get for an unknown model, or one that its key may not use
 */
export async function dryRun({ directory, clock }: DryRunDeps, request: DryRequest): Promise<DryRun> {
  const { operation, body, permissions } = request;
  const plan = await directory.plan(body.model, permissions);
  if (!plan.known || plan.forbidden) await choosePlan(directory, body.model, permissions, clock, operation);
  if (!plan.known) throw new Error('a model that is not known was planned');
  const refusedByPlans = refusalOfPlans(operation, body);
  const now = clock.now();
  let taken: string | null = null;
  const lanes = plan.lanes.map((planned): DryLane => {
    const { laneId, alias, kind, model, unavailableUntil } = planned;
    const shared = { lane: laneId, account: alias, kind, model };
    if (kind === 'plan' && refusedByPlans !== undefined) return { ...shared, verdict: 'cannot', why: refusedByPlans };
    if (unavailableUntil > now) {
      return { ...shared, verdict: 'out', why: 'the lane is out', until: toUnixSeconds(unavailableUntil) };
    }
    if (taken !== null) return { ...shared, verdict: 'after', why: 'if those before it fail' };
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

/** Why no plan lane can do what is asked, in our own words; undefined when they can, as far as the body tells. */
function refusalOfPlans(operation: Operation, body: unknown): string | undefined {
  if (operation === 'embeddings') return 'a plan has no embeddings';
  const translated = operation === 'chat' ? asChat(body) : asResponses(body);
  return isRefusal(translated) ? translated.reason : undefined;
}

function asChat(body: unknown): unknown {
  const chat = chatRequestSchema.safeParse(body);
  return chat.success ? translateRequest(chat.data) : undefined;
}

function asResponses(body: unknown): unknown {
  const responses = responsesRequestSchema.safeParse(body);
  return responses.success ? translateResponses(responses.data) : undefined;
}
