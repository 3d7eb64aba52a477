import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { MOST_PLAN_CONCURRENCY, type LaneHold } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { isDuplicateKey } from '../../store/database.ts';
import type { LaneDoc, LaneStore } from '../../store/lanes.ts';
import type { RouteStore } from '../../store/routes.ts';
import type { WindowSampleStore } from '../../store/window-samples.ts';
import { parseBody } from '../parse-body.ts';
import { aliasSchema, aliasTaken, findAccount } from './account-routes.ts';
import { rankSchema } from './key-lane-fields.ts';
import { toAccountView } from './lane-view.ts';

const settingsSchema = z.object({
  alias: aliasSchema.optional(),
  concurrency: z.number().int().min(1).max(MOST_PLAN_CONCURRENCY).optional(),
  weeklyReservePercent: z.number().int().min(0).max(100).optional(),
  rank: rankSchema.optional(),
});

const signOutSchema = z.object({ everywhere: z.boolean().default(false) });

const samplesQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  /** Unix milliseconds: samples from this time on, and before that one. */
  since: z.coerce.number().int().optional(),
  before: z.coerce.number().int().optional(),
});

/** A worker looks for wishes twice a second and asks OpenAI in about one; past this it is not there, or busy. */
const WORKER_ANSWERS_WITHIN_MS = 12_000;
const LOOK_EVERY_MS = 150;

/** The CLI's protocol ends the sign-in of one home and has no call for the others. */
const SIGN_OUT_EVERYWHERE =
  'The Codex CLI can end the sign-in of this home alone. To end all of them, open https://chatgpt.com, then Settings, Security, "Log out of all devices".';

interface AccountCareDeps {
  readonly lanes: LaneStore;
  readonly routes: RouteStore;
  readonly windowSamples: WindowSampleStore;
  readonly directory: Pick<LaneDirectory, 'refresh'>;
}

type ById = { Params: { id: string } };

/** `/admin/accounts/{id}/…`: what an owner does with an account that is there. */
export function registerAccountCareRoutes(app: FastifyInstance, deps: AccountCareDeps): void {
  const { lanes, routes, windowSamples, directory } = deps;

  app.patch<ById>('/admin/accounts/:id', async (request) => {
    const { _id: id } = await findAccount(lanes, request.params.id);
    const { alias, ...settings } = parseBody(settingsSchema, request.body);
    if (alias !== undefined) await rename(lanes, id, alias);
    const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
    if (Object.keys(given).length > 0) await lanes.configure(id, given);
    directory.refresh();
    return { account: toAccountView(await findAccount(lanes, id)) };
  });

  const hold = (path: string, wanted: LaneHold): void =>
    void app.post<ById>(`/admin/accounts/:id/${path}`, async (request) => {
      const { _id: id, alias } = await findAccount(lanes, request.params.id);
      const account = await lanes.setHold(id, wanted);
      if (account === null) throw new ApiError('conflict', `Account '${alias}' is being removed.`);
      directory.refresh();
      return { account: toAccountView(account) };
    });
  hold('pause', 'paused');
  hold('resume', 'none');
  hold('drain', 'draining');

  app.post<ById>('/admin/accounts/:id/check', async (request) => {
    const account = await findAccount(lanes, request.params.id);
    const wished = await lanes.wish(account._id, 'check');
    const after = await watch(lanes, account._id, (doc) => doc.checkDone >= (wished?.checkWish ?? 0));
    directory.refresh();
    return { account: toAccountView(after.doc ?? account), checked: after.happened };
  });

  app.post<ById>('/admin/accounts/:id/sign-out', async (request) => {
    const { everywhere } = parseBody(signOutSchema, request.body ?? {});
    const account = await findAccount(lanes, request.params.id);
    const wished = await lanes.wish(account._id, 'signOut');
    const after = await watch(lanes, account._id, (doc) => doc.signOutDone >= (wished?.signOutWish ?? 0));
    directory.refresh();
    const signedOut = after.happened && (after.doc === null || after.doc.state === 'needs_login');
    return {
      account: toAccountView(after.doc ?? account),
      signedOut,
      // Never pretended: what was not done is said, with the way to do it.
      everywhere: everywhere ? { signedOut: false, how: SIGN_OUT_EVERYWHERE } : null,
    };
  });

  app.delete<ById>('/admin/accounts/:id', async (request, reply) => {
    const account = await findAccount(lanes, request.params.id);
    const { _id: id } = account;
    // First: its worker may have removed it before a call that was cut off is repeated.
    await routes.leave(id);
    await lanes.setHold(id, 'removing');
    directory.refresh();
    // No machine has ever taken it: there is no home to delete.
    if (account.hostId === null) await lanes.remove(id);
    const { doc } = await watch(lanes, id, () => false);
    directory.refresh();
    if (doc === null) return { id, deleted: true };
    return reply.code(202).send({ id, deleted: false, account: toAccountView(doc) });
  });

  app.get<ById>('/admin/accounts/:id/windows', async (request) => {
    const { _id: laneId } = await findAccount(lanes, request.params.id);
    const { limit, since, before } = parseBody(samplesQuerySchema, request.query);
    const samples = await windowSamples.list({
      laneId,
      limit,
      ...(since === undefined ? {} : { since }),
      ...(before === undefined ? {} : { before }),
    });
    return { data: samples.map(({ window, usedPercent, resetsAt, at }) => ({ window, usedPercent, resetsAt, at })) };
  });
}

/** Waits a while for what a worker does; a lane that is gone ends the wait. */
async function watch(
  lanes: LaneStore,
  id: string,
  done: (doc: LaneDoc) => boolean,
): Promise<{ happened: boolean; doc: LaneDoc | null }> {
  const givesUpAt = performance.now() + WORKER_ANSWERS_WITHIN_MS;
  for (;;) {
    const doc = await lanes.find(id);
    if (doc === null || done(doc)) return { happened: true, doc };
    if (performance.now() > givesUpAt) return { happened: false, doc };
    await sleep(LOOK_EVERY_MS);
  }
}

/** @throws ApiError when the alias is taken */
async function rename(lanes: LaneStore, id: string, alias: string): Promise<void> {
  try {
    await lanes.rename(id, alias);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    throw aliasTaken(alias);
  }
}
