import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import type { MeteredConsent } from '../../core/contracts/metered-consent.ts';
import { ApiError } from '../../core/errors.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { KeyStore } from '../../store/keys.ts';

/** Who asks. */
export interface Caller {
  /** The key's public id: the owner of files, batches and logs. */
  readonly keyId: string;
  readonly name: string;
  readonly admin: boolean;
  readonly planLanes: boolean;
  readonly metered: MeteredConsent;
}

/** What a route demands. A route that says nothing demands the most that its server has. */
export type Access = 'public' | 'key' | 'admin';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
  }
  interface FastifyContextConfig {
    access?: Access;
  }
}

/** A revoked key is refused after this long at the latest; without the cache each request would cost a read. */
const KEY_IS_FRESH_MS = 1_000;
const CACHED_KEYS = 10_000;

interface AuthenticateDeps {
  readonly keys: Pick<KeyStore, 'findActive'>;
  readonly secretBox: Pick<SecretBox, 'hashKey'>;
  /** For routes that do not say what they demand. */
  readonly defaultAccess: Access;
}

/** Checks the bearer key of every request before its body is read. What is demanded comes from the matched route. */
export function registerAuthentication(
  app: FastifyInstance,
  { keys, secretBox, defaultAccess }: AuthenticateDeps,
): void {
  const known = new LRUCache<string, Caller>({ max: CACHED_KEYS, ttl: KEY_IS_FRESH_MS });

  const findCaller = async (key: string): Promise<Caller | undefined> => {
    const hash = secretBox.hashKey(key);
    const cached = known.get(hash);
    if (cached !== undefined) return cached;
    const found = await keys.findActive(hash);
    if (found === null) return undefined;
    const { keyId, name, admin, planLanes, metered = 'auto' } = found;
    const caller = { keyId, name, admin, planLanes, metered };
    known.set(hash, caller);
    return caller;
  };

  app.decorateRequest('caller');
  app.addHook('onRequest', async (request: FastifyRequest) => {
    const access = request.routeOptions.config.access ?? defaultAccess;
    if (access === 'public') return;
    const key = bearerOf(request);
    if (key === undefined) {
      throw new ApiError('invalid_api_key', 'No API key was given. Send it as `Authorization: Bearer sk-fl-…`.');
    }
    const caller = await findCaller(key);
    if (caller === undefined) {
      throw new ApiError(
        'invalid_api_key',
        'This API key is not known here, or was revoked. Make one with `flatlane keys create`.',
      );
    }
    if (access === 'admin' && !caller.admin) {
      throw new ApiError('insufficient_permissions', 'This needs an admin key.');
    }
    request.caller = caller;
  });
}

/** The key of a request as it is written; undefined where it has none, or none that could be a key. */
export function bearerOf(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const match = /^Bearer (\S{1,512})$/i.exec(request.headers.authorization ?? '');
  return match?.[1];
}
