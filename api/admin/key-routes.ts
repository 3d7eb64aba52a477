import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { METERED_CONSENTS } from '../../core/contracts/metered-consent.ts';
import { REVOKED_BATCHES } from '../../core/contracts/revocation.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { endsBatches, type KeyDoc, type KeyStore } from '../../store/keys.ts';
import { parseBody } from '../parse-body.ts';
import { issueKey } from './issue-key.ts';

const newKeySchema = z.object({
  name: z.string().min(1).max(100),
  planLanes: z.boolean().default(false),
  metered: z.enum(METERED_CONSENTS).default('auto'),
});

const changedKeySchema = z.object({ metered: z.enum(METERED_CONSENTS) });

const revocationSchema = z.object({ batches: z.enum(REVOKED_BATCHES).optional() });

interface KeyRouteDeps {
  readonly keys: KeyStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
  /** Cancels the batches of a key, and says how many. What it does not come to is done by the sweep. */
  readonly cancelBatchesOf: (keyId: string) => Promise<number>;
}

/**
 * `/admin/keys`: sub-keys for the owner's apps. A key is shown when it is made, and never again. What a revoked key has running is
 * cancelled unless its owner says otherwise: a key is revoked because it leaked more often than because it retired.
 */
export function registerKeyRoutes(app: FastifyInstance, deps: KeyRouteDeps): void {
  app.post('/admin/keys', async (request, reply) => {
    const wish = parseBody(newKeySchema, request.body);
    const { key, secret } = await issueKey(deps, { ...wish, admin: false });
    return reply.code(201).send({ key: toKeyView(key), secret });
  });

  app.get('/admin/keys', async () => ({ data: (await deps.keys.list()).map(toKeyView) }));

  app.patch<{ Params: { id: string } }>('/admin/keys/:id', async (request) => {
    const { metered } = parseBody(changedKeySchema, request.body);
    const changed = await deps.keys.setMetered(request.params.id, metered);
    if (changed === null) throw noSuchKey(request.params.id);
    return { key: toKeyView(changed) };
  });

  app.delete<{ Params: { id: string } }>('/admin/keys/:id', async (request) => {
    const { id } = request.params;
    const { batches } = parseBody(revocationSchema, request.query);
    const revoked =
      (await deps.keys.revoke(id, deps.clock.now(), batches ?? 'cancel')) ??
      // Of a key that is revoked already the batches can still be ended, by an owner who says so.
      (batches === 'cancel' ? await deps.keys.endBatches(id) : null);
    if (revoked === null) throw noSuchKey(id);
    return { key: toKeyView(revoked), cancelledBatches: endsBatches(revoked) ? await deps.cancelBatchesOf(id) : 0 };
  });
}

function noSuchKey(id: string): ApiError {
  return new ApiError('not_found', `There is no key with id '${id}' that is not revoked.`);
}

function toKeyView(key: KeyDoc) {
  const { keyId: id, name, admin, planLanes, metered = 'auto', createdAt, revokedAt, revokedBatches = 'finish' } = key;
  return {
    id,
    name,
    admin,
    planLanes,
    metered,
    createdAt,
    revokedAt,
    /** What becomes of its batches; null while it is not revoked. */
    revokedBatches: revokedAt === null ? null : revokedBatches,
  };
}
