import type { Clock } from '../../core/clock.ts';
import { newKeyId, newToken } from '../../core/ids.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import type { KeyDoc, KeyStore } from '../../store/keys.ts';

interface IssueKeyDeps {
  readonly keys: KeyStore;
  readonly secretBox: SecretBox;
  readonly clock: Clock;
}

/** Makes a sub-key (`sk-fl-` and 256 random bits). Only its HMAC is stored: `secret` is shown once. */
export async function issueKey(
  { keys, secretBox, clock }: IssueKeyDeps,
  wish: { name: string; planLanes: boolean; admin: boolean },
): Promise<{ key: KeyDoc; secret: string }> {
  const secret = `sk-fl-${newToken()}`;
  const key: KeyDoc = {
    _id: secretBox.hashKey(secret),
    keyId: newKeyId(),
    ...wish,
    createdAt: clock.now(),
    revokedAt: null,
  };
  await keys.insert(key);
  return { key, secret };
}

/** Makes the first admin key of an installation; undefined when there is one already. */
export async function issueFirstAdminKey(deps: IssueKeyDeps): Promise<string | undefined> {
  if ((await deps.keys.countAdmins()) > 0) return undefined;
  return (await issueKey(deps, { name: 'first admin key', planLanes: true, admin: true })).secret;
}
