import { createHash } from 'node:crypto';
import type { Operation } from '../../core/lane-port.ts';
import { isJsonObject } from '../../core/wire/json-object.ts';
import type { ShareKey } from '../../lanes/policy/share-order.ts';

interface AskedFor {
  readonly requestId: string;
  readonly keyId: string;
  readonly operation: Operation;
  readonly body: { readonly model: string };
}

/**
 * By what a request is shared among the lanes of a rung: its conversation, so that the lane that served it before, and may
 * have its prompt cached, serves it again. That is OpenAI's `prompt_cache_key` where the caller gives one, else what a
 * conversation begins with: instructions and the first message of its user. Only a hash leaves this function, and it is
 * kept nowhere. What has no conversation (embeddings) is shared request by request.
 */
export function shareKeyOf({ requestId, keyId, operation, body }: AskedFor): ShareKey {
  const beginning = operation === 'embeddings' ? undefined : beginningOf(body);
  if (beginning === undefined) return { seed: requestId, sticky: false };
  const hash = createHash('sha256').update(JSON.stringify([keyId, body.model, beginning]));
  return { seed: hash.digest('base64url'), sticky: true };
}

function beginningOf(body: object): unknown {
  const { prompt_cache_key: given, messages, instructions, input } = body as Readonly<Record<string, unknown>>;
  if (typeof given === 'string' && given !== '') return { given };
  if (typeof input === 'string') return { instructions, said: [input] };
  const items: unknown[] = [messages, input].find(Array.isArray) ?? [];
  const said = items.filter(isJsonObject);
  const firstOfUser = said.findIndex(({ role }) => role === 'user');
  if (firstOfUser < 0) return undefined;
  return {
    instructions,
    said: said
      .slice(0, firstOfUser + 1)
      .filter(({ role }) => role === 'user' || role === 'system' || role === 'developer')
      .map(({ role, content }) => [role, content]),
  };
}
