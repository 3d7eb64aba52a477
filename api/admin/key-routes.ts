import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { KeyDoc, KeyStore } from '../../store/keys.ts';
import { parseBody } from '../parse-body.ts';
import { issueKey } from './issue-key.ts';

const newKeySchema = z.object({ name: z.string().min(1).max(100), planLanes: z.boolean().default(false) });

interface KeyRouteDeps {
  readonly keys: KeyStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
}

/** `/admin/keys`: sub-keys for the owner's apps. A key is shown when it is made, and never again. */
export function registerKeyRoutes(app: FastifyInstance, deps: KeyRouteDeps): void {
  app.post('/admin/keys', async (request, reply) => {
    const { name, planLanes } = parseBody(newKeySchema, request.body);
    const { key, secret } = await issueKey(deps, { name, planLanes, admin: false });
    return reply.code(201).send({ key: toKeyView(key), secret });
  });

  app.get('/admin/keys', async () => ({ data: (await deps.keys.list()).map(toKeyView) }));

  app.delete<{ Params: { id: string } }>('/admin/keys/:id', async (request) => {
    const revoked = await deps.keys.revoke(request.params.id, deps.clock.now());
    if (revoked === null)
      throw new ApiError('not_found', `There is no key with id '${request.params.id}' that is not revoked.`);
    return { key: toKeyView(revoked) };
  });
}

function toKeyView({ keyId: id, name, admin, planLanes, createdAt, revokedAt }: KeyDoc) {
  return { id, name, admin, planLanes, createdAt, revokedAt };
}
