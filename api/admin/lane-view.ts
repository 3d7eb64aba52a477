import type { LaneDoc } from '../../store/lanes.ts';

/** A lane as the admin routes show it: no secret, no home folder. */
export function toLaneView(lane: LaneDoc) {
  const { _id: id, kind, alias, state, why, until, concurrency, models, createdAt, baseUrl } = lane;
  return { id, kind, alias, state, why, coolingUntil: until, concurrency, models, createdAt, baseUrl };
}

/** An account with what it says of itself, and the sign-in that waits. */
export function toAccountView(lane: LaneDoc) {
  const { email, planType, windows, login } = lane;
  const shownLogin =
    login === null
      ? null
      : { verificationUrl: login.verificationUrl, userCode: login.userCode, expiresAt: login.expiresAt };
  return { ...toLaneView(lane), email, planType, windows, login: shownLogin };
}
