import type { Clock } from '../../core/clock.ts';
import type { MeteredConsent } from '../../core/contracts/metered-consent.ts';
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
  wish: { name: string; planLanes: boolean; admin: boolean; metered?: MeteredConsent },
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

/**
 * Makes the first admin key of an installation, or another one for an owner who lost theirs; undefined when there is one already
 * and no other was asked for.
 */
export async function issueAdminKey(deps: IssueKeyDeps, another: boolean): Promise<string | undefined> {
  const isFirst = (await deps.keys.countAdmins()) === 0;
  if (!isFirst && !another) return undefined;
  const name = isFirst ? 'first admin key' : 'further admin key';
  return (await issueKey(deps, { name, planLanes: true, admin: true })).secret;
}
