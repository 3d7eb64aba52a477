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
  wish: Pick<KeyDoc, 'name' | 'planLanes' | 'admin' | 'metered' | 'shownAt'>,
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

/** An admin key that was just made, and is nowhere else. */
export interface IssuedAdminKey {
  readonly secret: string;
  /** To be called when its owner has been shown it: until then the next start makes another one. */
  readonly markShown: () => Promise<void>;
}

/**
 * Makes the first admin key of an installation, or another one for an owner who lost theirs; undefined when there is one already
 * that its owner has been shown, and no other was asked for. A key that was never shown stays valid: it harms nobody, and a process
 * that starts at the same moment may be about to show it.
 */
export async function issueAdminKey(deps: IssueKeyDeps, another: boolean): Promise<IssuedAdminKey | undefined> {
  // Without the field it is a key from before there was one: shown, as far as anybody knows.
  const hasKey = (await deps.keys.listAdmins()).some(({ shownAt }) => shownAt !== null);
  if (hasKey && !another) return undefined;
  const name = hasKey ? 'further admin key' : 'first admin key';
  const { key, secret } = await issueKey(deps, { name, planLanes: true, admin: true, shownAt: null });
  return { secret, markShown: () => deps.keys.markShown(key.keyId, deps.clock.now()) };
}
