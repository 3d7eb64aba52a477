import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { newLaneId } from '../../core/ids.ts';
import { isDuplicateKey } from '../../store/database.ts';
import type { LaneDoc, LaneStore } from '../../store/lanes.ts';
import { parseBody } from '../parse-body.ts';
import { toAccountView } from './lane-view.ts';

/** Turns at a time on one account: more is allowed by its owner, and looks less like one person's work. */
const DEFAULT_PLAN_CONCURRENCY = 4;
const MOST_PLAN_CONCURRENCY = 16;

export const aliasSchema = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,39}$/, 'use 1 to 40 letters, digits, dots, dashes');

const newAccountSchema = z.object({
  alias: aliasSchema,
  concurrency: z.number().int().min(1).max(MOST_PLAN_CONCURRENCY).default(DEFAULT_PLAN_CONCURRENCY),
});

interface AccountDeps {
  readonly lanes: LaneStore;
  readonly clock: Clock;
}

/** `/admin/accounts`: ChatGPT accounts of the owner's, signed in by device code on the machine of a worker. */
export function registerAccountRoutes(app: FastifyInstance, { lanes, clock }: AccountDeps): void {
  app.post('/admin/accounts', async (request, reply) => {
    const { alias, concurrency } = parseBody(newAccountSchema, request.body);
    const now = clock.now();
    const account: LaneDoc = {
      ...emptyLane(alias, now),
      kind: 'plan',
      state: 'signing_in',
      concurrency,
      loginWish: 1,
    };
    await insertLane(lanes, account);
    return reply.code(201).send({ account: toAccountView(account) });
  });

  app.get('/admin/accounts', async () => ({
    data: (await lanes.list()).filter((lane) => lane.kind === 'plan').map(toAccountView),
  }));

  app.get<{ Params: { id: string } }>('/admin/accounts/:id', async (request) => ({
    account: toAccountView(await findAccount(lanes, request.params.id)),
  }));

  app.post<{ Params: { id: string } }>('/admin/accounts/:id/login', async (request) => {
    const account = await findAccount(lanes, request.params.id);
    const pending = account.login !== null && account.login.expiresAt > clock.now();
    if (!pending) {
      await lanes.setLogin(account._id, null);
      await lanes.transition(account._id, 'signing_in', clock.now());
      await lanes.wishLogin(account._id);
    }
    return { account: toAccountView(await findAccount(lanes, account._id)) };
  });
}

async function findAccount(lanes: LaneStore, id: string): Promise<LaneDoc> {
  const account = await lanes.find(id);
  if (account?.kind !== 'plan')
    throw new ApiError('not_found', `There is no account with id '${id}'. See GET /admin/accounts.`);
  return account;
}

/** A lane with nothing filled in yet. Lanes of one kind are ordered by when they were added. */
export function emptyLane(alias: string, now: number): Omit<LaneDoc, 'kind' | 'state' | 'concurrency'> {
  return {
    _id: newLaneId(),
    alias,
    why: null,
    until: null,
    rank: now,
    models: [],
    createdAt: now,
    stateChangedAt: now,
    hostId: null,
    email: null,
    planType: null,
    windows: [],
    login: null,
    loginWish: 0,
    baseUrl: null,
    sealedKey: null,
    allowPrivateAddresses: false,
  };
}

/** @throws ApiError when the alias is taken */
export async function insertLane(lanes: LaneStore, lane: LaneDoc): Promise<void> {
  try {
    await lanes.insert(lane);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    throw new ApiError('conflict', `There is a lane with the alias '${lane.alias}' already. Choose another one.`);
  }
}
