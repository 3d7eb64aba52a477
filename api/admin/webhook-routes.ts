import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { MOST_WEBHOOKS_A_KEY, WEBHOOK_EVENT_TYPES } from '../../core/contracts/webhook.ts';
import { ApiError } from '../../core/errors.ts';
import { newWebhookId } from '../../core/ids.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { webhookSecret } from '../../core/wire/webhook-event.ts';
import type { KeyStore } from '../../store/keys.ts';
import { webhookSecretPlace, type WebhookDoc, type WebhookStore } from '../../store/webhooks.ts';
import { parseBody } from '../parse-body.ts';
import type { SendTestWebhook } from '../webhooks/send-test.ts';

/** 32 bytes, within the 24 to 64 of Standard Webhooks. */
const SECRET_BYTES = 32;

/** After a rotation both secrets sign for a day unless the owner says otherwise, a week at most. */
const DEFAULT_OVERLAP_SECONDS = 24 * 3600;
const LONGEST_OVERLAP_SECONDS = 7 * 24 * 3600;

const url = z.string().min(1).max(2_000);
const events = z.array(z.enum(WEBHOOK_EVENT_TYPES)).min(1).max(WEBHOOK_EVENT_TYPES.length);

const newWebhookSchema = z.object({
  keyId: z.string().min(1).max(100),
  url,
  events: events.default([...WEBHOOK_EVENT_TYPES]),
  allowPrivateAddresses: z.boolean().default(false),
});

const changedWebhookSchema = z.object({
  url: url.optional(),
  events: events.optional(),
  allowPrivateAddresses: z.boolean().optional(),
  enabled: z.boolean().optional(),
});

const rotationSchema = z.object({
  overlapSeconds: z.number().int().min(0).max(LONGEST_OVERLAP_SECONDS).default(DEFAULT_OVERLAP_SECONDS),
});

const testSchema = z.object({ type: z.enum(WEBHOOK_EVENT_TYPES).optional() });

interface WebhookRouteDeps {
  readonly webhooks: WebhookStore;
  readonly keys: Pick<KeyStore, 'find'>;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  readonly sendTest: SendTestWebhook;
  /** @throws ApiError when a receiver's address is not allowed */
  readonly checkUrl: (url: string, rules: { readonly allowPrivateAddresses: boolean }) => Promise<void>;
}

type ById = { Params: { id: string } };

/** `/admin/webhooks`: who hears of the ends of a key's batches. A secret is shown when it is made, and never again. */
export function registerWebhookRoutes(app: FastifyInstance, deps: WebhookRouteDeps): void {
  const { webhooks, secretBox, clock } = deps;

  /** @throws ApiError when there is no such webhook */
  const find = async (id: string): Promise<WebhookDoc> => {
    const webhook = await webhooks.find(id);
    if (webhook === null) throw noSuchWebhook(id);
    return webhook;
  };
  const newSecret = (webhookId: string): { secret: string; sealed: string } => {
    const secret = webhookSecret(randomBytes(SECRET_BYTES));
    return { secret, sealed: secretBox.seal(secret, webhookSecretPlace(webhookId)) };
  };

  app.post('/admin/webhooks', async (request, reply) => {
    const wish = parseBody(newWebhookSchema, request.body);
    await checkKey(deps, wish.keyId);
    await deps.checkUrl(wish.url, wish);
    const id = newWebhookId();
    const { secret, sealed } = newSecret(id);
    const webhook: WebhookDoc = {
      _id: id,
      ...wish,
      events: [...new Set(wish.events)],
      enabled: true,
      why: null,
      sealedSecret: sealed,
      previousSecret: null,
      createdAt: clock.now(),
      attempts: [],
    };
    await webhooks.insert(webhook);
    return reply.code(201).send({ webhook: toWebhookView(webhook, clock.now()), secret });
  });

  app.get('/admin/webhooks', async () => ({
    data: (await webhooks.list()).map((webhook) => toWebhookView(webhook, clock.now())),
  }));

  app.get<ById>('/admin/webhooks/:id', async (request) => ({
    webhook: toWebhookView(await find(request.params.id), clock.now()),
  }));

  app.get<ById>('/admin/webhooks/:id/attempts', async (request) => ({
    data: (await find(request.params.id)).attempts.toReversed(),
  }));

  app.patch<ById>('/admin/webhooks/:id', async (request) => {
    const wish = parseBody(changedWebhookSchema, request.body);
    const before = await find(request.params.id);
    if (Object.values(wish).every((value) => value === undefined)) {
      throw new ApiError('invalid_request', 'Nothing to change was given.');
    }
    const allowPrivateAddresses = wish.allowPrivateAddresses ?? before.allowPrivateAddresses;
    if (wish.url !== undefined || wish.allowPrivateAddresses !== undefined) {
      await deps.checkUrl(wish.url ?? before.url, { allowPrivateAddresses });
    }
    const changed = await webhooks.configure(before._id, {
      ...(wish.url === undefined ? {} : { url: wish.url }),
      ...(wish.events === undefined ? {} : { events: [...new Set(wish.events)] }),
      // Only where it was given: what somebody else forbids meanwhile stays forbidden.
      ...(wish.allowPrivateAddresses === undefined ? {} : { allowPrivateAddresses }),
      ...(wish.enabled === undefined
        ? {}
        : { enabled: wish.enabled, why: wish.enabled ? null : 'disabled by its owner' }),
    });
    if (changed === null) throw noSuchWebhook(before._id);
    return { webhook: toWebhookView(changed, clock.now()) };
  });

  app.delete<ById>('/admin/webhooks/:id', async (request) => {
    const { id } = request.params;
    if (!(await webhooks.remove(id))) throw noSuchWebhook(id);
    return { id, deleted: true };
  });

  app.post<ById>('/admin/webhooks/:id/rotate', async (request) => {
    const { overlapSeconds } = parseBody(rotationSchema, request.body ?? {});
    const before = await find(request.params.id);
    const { secret, sealed } = newSecret(before._id);
    const previous = { sealed: before.sealedSecret, until: clock.now() + overlapSeconds * 1_000 };
    const changed = await webhooks.rotate(
      before._id,
      before.sealedSecret,
      sealed,
      overlapSeconds === 0 ? null : previous,
    );
    if (changed === null) {
      throw new ApiError('conflict', `The secret of webhook '${before._id}' was rotated by somebody else just now.`);
    }
    return { webhook: toWebhookView(changed, clock.now()), secret };
  });

  app.post<ById>('/admin/webhooks/:id/test', async (request) => {
    const { type } = parseBody(testSchema, request.body ?? {});
    const webhook = await find(request.params.id);
    if (!webhook.enabled) {
      throw new ApiError('conflict', `Webhook '${webhook._id}' is disabled. Enable it before you test it.`);
    }
    const { event, delivery } = await deps.sendTest(webhook._id, type ?? webhook.events[0] ?? 'batch.completed');
    if (delivery === null) {
      throw new ApiError('server_is_overloaded', 'No worker sent the test in time. Does one run?');
    }
    return { eventId: event.id, type: event.type, ...delivery };
  });
}

/** @throws ApiError when the key is unknown, revoked, or has as many as it may */
async function checkKey({ keys, webhooks }: WebhookRouteDeps, keyId: string): Promise<void> {
  const key = await keys.find(keyId);
  if (key === null || key.revokedAt !== null) {
    throw new ApiError('invalid_value', "Invalid 'keyId': there is no such key that is not revoked.", {
      param: 'keyId',
    });
  }
  if ((await webhooks.countOfKey(keyId)) >= MOST_WEBHOOKS_A_KEY) {
    throw new ApiError('conflict', `A key has ${MOST_WEBHOOKS_A_KEY} webhooks at most. Remove one first.`);
  }
}

function noSuchWebhook(id: string): ApiError {
  return new ApiError('not_found', `There is no webhook with id '${id}'. See GET /admin/webhooks.`);
}

function toWebhookView(webhook: WebhookDoc, now: number) {
  const { _id: id, keyId, url, allowPrivateAddresses, events, enabled, why, createdAt, attempts } = webhook;
  const { previousSecret } = webhook;
  return {
    id,
    keyId,
    url,
    allowPrivateAddresses,
    events,
    enabled,
    why,
    createdAt,
    /** Until when the secret before the last rotation signs as well. */
    previousSecretUntil: previousSecret !== null && previousSecret.until > now ? previousSecret.until : null,
    lastAttempt: attempts.at(-1) ?? null,
  };
}
