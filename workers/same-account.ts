import type { AccountStatus } from '../lanes/codex/codex-account.ts';
import type { LaneDoc } from '../store/lanes.ts';

/** States of a lane that is signed in and serves, whether it has room or not. */
const SERVING: readonly LaneDoc['state'][] = ['ready', 'cooling', 'unhealthy'];

/**
 * The lane that serves the same ChatGPT account already, if there is one to give way to. Two lanes on one account would share
 * its window without knowing, and ask more of it at a time than its owner set. A plan's type is compared as well: one e-mail
 * address may have a plan of its own and a seat in a workspace.
 * @param self with the state before this sign-in is taken in
 * @param isNew true when it was signed in just now. Otherwise, as after a restart, both may find each other serving: then it is
 *   the one that was added later that gives way
 */
export function sameAccountElsewhere(
  self: Pick<LaneDoc, '_id' | 'createdAt' | 'state'>,
  { email, planType }: Pick<AccountStatus, 'email' | 'planType'>,
  isNew: boolean,
  lanes: readonly LaneDoc[],
): LaneDoc | undefined {
  if (email === undefined) return undefined;
  const givesWayToAny = isNew || !SERVING.includes(self.state);
  return lanes.find(
    (other) =>
      other._id !== self._id &&
      other.kind === 'plan' &&
      other.hold !== 'removing' &&
      SERVING.includes(other.state) &&
      other.email === email &&
      other.planType === (planType ?? null) &&
      (givesWayToAny || isEarlier(other, self)),
  );
}

function isEarlier(one: Pick<LaneDoc, '_id' | 'createdAt'>, other: Pick<LaneDoc, '_id' | 'createdAt'>): boolean {
  return one.createdAt === other.createdAt ? one._id < other._id : one.createdAt < other.createdAt;
}
