import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { MOST_PLAN_CONCURRENCY } from '../../core/contracts/lane.ts';
import { ApiError } from '../../core/errors.ts';
import { newLaneId } from '../../core/ids.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { MarkSilent } from '../../lanes/policy/silent-lanes.ts';
import { isDuplicateKey } from '../../store/database.ts';
import { laneSecretPlace, UNTOUCHED_LANE, type LaneDoc, type LaneStore } from '../../store/lanes.ts';
import { parseBody } from '../parse-body.ts';
import { toAccountView } from './lane-view.ts';

/** Turns at a time on one account: more is allowed by its owner, and looks less like one person's work. */
const DEFAULT_PLAN_CONCURRENCY = 4;

export const aliasSchema = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,39}$/, 'use 1 to 40 letters, digits, dots, dashes');

/** What an owner confirms with a second account; lanes.md's terms, in the words of the README. */
const SECOND_ACCOUNT =
  'You have an account already. Your ChatGPT terms apply to each: do not use several accounts to get around limits. Confirm that this is another account of your own with "acknowledge": true.';

/** A Codex access token, made by the account's owner in ChatGPT: the other way to sign in. It goes in and never comes out. */
const accessToken = z
  .string()
  .regex(/^[\x21-\x7e]{8,4096}$/, 'use the token as ChatGPT shows it')
  .optional();

const loginSchema = z.object({ accessToken });

const newAccountSchema = z.object({
  alias: aliasSchema,
  concurrency: z.number().int().min(1).max(MOST_PLAN_CONCURRENCY).default(DEFAULT_PLAN_CONCURRENCY),
  acknowledge: z.boolean().default(false),
  accessToken,
});

interface AccountDeps {
  readonly lanes: LaneStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly markSilent: MarkSilent;
}

/** `/admin/accounts`: ChatGPT accounts of the owner's, signed in on the machine of a worker. */
export function registerAccountRoutes(
  app: FastifyInstance,
  { lanes, secretBox, clock, markSilent }: AccountDeps,
): void {
  const seal = (laneId: string, token: string | undefined): string | null =>
    token === undefined ? null : secretBox.seal(token, laneSecretPlace(laneId));

  app.post('/admin/accounts', async (request, reply) => {
    const { alias, concurrency, acknowledge, accessToken: token } = parseBody(newAccountSchema, request.body);
    if (!acknowledge && (await lanes.list()).some(({ kind }) => kind === 'plan')) {
      throw new ApiError('missing_required_parameter', SECOND_ACCOUNT, { param: 'acknowledge' });
    }
    const now = clock.now();
    const empty = emptyLane(alias, now);
    const account: LaneDoc = {
      ...empty,
      sealedKey: seal(empty._id, token),
      kind: 'plan',
      state: 'signing_in',
      concurrency,
      loginWish: 1,
    };
    await insertLane(lanes, account);
    return reply.code(201).send({ account: toAccountView(account) });
  });

  app.get('/admin/accounts', async () => ({
    data: (await lanes.list())
      .filter((lane) => lane.kind === 'plan')
      .map((account) => toAccountView(markSilent(account))),
  }));

  app.get<{ Params: { id: string } }>('/admin/accounts/:id', async (request) => ({
    account: toAccountView(markSilent(await findAccount(lanes, request.params.id))),
  }));

  app.post<{ Params: { id: string } }>('/admin/accounts/:id/login', async (request) => {
    const account = await findAccount(lanes, request.params.id);
    if (account.hold !== 'none') {
      throw new ApiError('conflict', `Account '${account.alias}' is ${account.hold}. Resume it before you sign it in.`);
    }
    if (account.signOutWish > account.signOutDone) {
      throw new ApiError('conflict', `Account '${account.alias}' is being signed out. Try again in a moment.`);
    }
    const { accessToken: token } = parseBody(loginSchema, request.body ?? {});
    if (token !== undefined) {
      await lanes.setLogin(account._id, null);
      await lanes.transition(account._id, 'signing_in', clock.now());
      await lanes.setSealedKey(account._id, seal(account._id, token));
      return { account: toAccountView(await findAccount(lanes, account._id)) };
    }
    const pending = account.login !== null && account.login.expiresAt > clock.now();
    if (!pending) {
      await lanes.setLogin(account._id, null);
      await lanes.setSealedKey(account._id, null);
      await lanes.transition(account._id, 'signing_in', clock.now());
      await lanes.wishLogin(account._id);
    }
    return { account: toAccountView(await findAccount(lanes, account._id)) };
  });
}

/** @throws ApiError when there is no such account */
export async function findAccount(lanes: LaneStore, id: string): Promise<LaneDoc> {
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
    ...UNTOUCHED_LANE,
  };
}

/** @throws ApiError when the alias is taken */
export async function insertLane(lanes: LaneStore, lane: LaneDoc): Promise<void> {
  try {
    await lanes.insert(lane);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    throw aliasTaken(lane.alias);
  }
}

export function aliasTaken(alias: string): ApiError {
  return new ApiError('conflict', `There is a lane with the alias '${alias}' already. Choose another one.`);
}
