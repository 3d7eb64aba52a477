import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { METERED_CONSENTS } from '../../core/contracts/metered-consent.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { KeyDoc, KeyStore } from '../../store/keys.ts';
import { parseBody } from '../parse-body.ts';
import { issueKey } from './issue-key.ts';

const newKeySchema = z.object({
  name: z.string().min(1).max(100),
  planLanes: z.boolean().default(false),
  metered: z.enum(METERED_CONSENTS).default('auto'),
});

const changedKeySchema = z.object({ metered: z.enum(METERED_CONSENTS) });

interface KeyRouteDeps {
  readonly keys: KeyStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
}

/** `/admin/keys`: sub-keys for the owner's apps. A key is shown when it is made, and never again. */
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
    const revoked = await deps.keys.revoke(request.params.id, deps.clock.now());
    if (revoked === null) throw noSuchKey(request.params.id);
    return { key: toKeyView(revoked) };
  });
}

function noSuchKey(id: string): ApiError {
  return new ApiError('not_found', `There is no key with id '${id}' that is not revoked.`);
}

function toKeyView({ keyId: id, name, admin, planLanes, metered = 'auto', createdAt, revokedAt }: KeyDoc) {
  return { id, name, admin, planLanes, metered, createdAt, revokedAt };
}
