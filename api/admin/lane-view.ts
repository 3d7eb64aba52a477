import { batchPriceShare } from '../../lanes/openai/batch-price.ts';
import type { LaneDoc } from '../../store/lanes.ts';

/** A lane, with whether no worker serves it where that is known. */
type SeenLane = LaneDoc & { readonly silent?: boolean };

/** A lane as the admin routes show it: no secret, no home folder. */
export function toLaneView(lane: SeenLane) {
  const { _id: id, kind, alias, until, rank, concurrency, models, createdAt, baseUrl, hold, keySettings } = lane;
  const { state, why } = shownState(lane);
  const shared = { id, kind, alias, state, why, hold, coolingUntil: until };
  const shown = { ...shared, rank, concurrency, models, createdAt, baseUrl };
  if (keySettings === null) return shown;
  const { preset, authHeader, modelMap, prices, sealedHeaders } = keySettings;
  const hasHeaders = sealedHeaders !== null;
  return { ...shown, preset, authHeader, modelMap, prices, hasHeaders, batchPriceShare: batchPriceShare(keySettings) };
}

/** An account with what it says of itself, and the sign-in that waits. */
export function toAccountView(lane: SeenLane) {
  const { email, planType, windows, login, weeklyReservePercent, drainedAt, sealedKey } = lane;
  const signIn = sealedKey === null ? 'device_code' : 'access_token';
  const shownLogin =
    login === null
      ? null
      : { verificationUrl: login.verificationUrl, userCode: login.userCode, expiresAt: login.expiresAt };
  return { ...toLaneView(lane), email, planType, windows, weeklyReservePercent, drainedAt, signIn, login: shownLogin };
}

const NO_WORKER = 'no worker serves it: start flatlane, or a worker, over the data folder that has its sign-in';

type Shown = Pick<LaneDoc, 'state' | 'why'>;

/** A lane that its owner holds is off, whatever it would be otherwise; one that drains is so when it is drained. */
function shownState({ state, why, hold, silent }: SeenLane): Shown {
  switch (hold) {
    case 'none':
      return silent === true ? withoutWorker({ state, why }) : { state, why };
    case 'draining':
      return {
        state,
        why: 'drained by its owner: takes nothing new, and is off when all that is under way is finished',
      };
    case 'paused':
      return { state: 'off', why: 'paused by its owner' };
    case 'removing':
      return { state: 'off', why: 'its owner removes it' };
  }
}

/** Whose worker is gone serves nothing. What is not signed in does not pass for signed in by that: it goes on to say what it waits for. */
function withoutWorker({ state, why }: Shown): Shown {
  switch (state) {
    case 'ready':
    case 'cooling':
    case 'unhealthy':
      return { state: 'unhealthy', why: NO_WORKER };
    case 'signing_in':
      return { state, why: NO_WORKER };
    case 'needs_login':
    case 'needs_key':
    case 'off':
      return { state, why };
  }
}
