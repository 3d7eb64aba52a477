import { rm } from 'node:fs/promises';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { CodexAccount } from '../lanes/codex/codex-account.ts';
import type { LaneDoc, LaneStore } from '../store/lanes.ts';
import type { WindowSampleStore } from '../store/window-samples.ts';
import type { LaneHealth } from '../lanes/policy/lane-health.ts';
import type { Slots } from '../lanes/policy/slots.ts';

interface AccountWishesDeps {
  readonly laneId: string;
  readonly account: Pick<CodexAccount, 'signOut' | 'stop'>;
  readonly health: Pick<LaneHealth, 'change'>;
  readonly slots: Pick<Slots, 'inUse'>;
  readonly lanes: LaneStore;
  readonly samples: Pick<WindowSampleStore, 'removeOf'>;
  /** The folder with the account's home, which goes with the account. */
  readonly folder: string;
  /** Looks at the account anew. */
  readonly check: () => Promise<void>;
  readonly chore: (name: string, run: () => Promise<unknown>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is under way on an account that is removed gets this long; then its requests go on with another lane. */
const FINISH_BEFORE_REMOVAL_MS = 30_000;

/**
 * Fulfils what the owner wants of an account. Wishes are in the database until they are fulfilled, so none is lost with the
 * process. Returns the function that takes in a changed document.
 */
export function createAccountWishes(deps: AccountWishesDeps): (doc: LaneDoc) => void {
  const { laneId, account, lanes, slots, chore, clock, log } = deps;
  const begun = { signOut: 0, check: 0 };
  let removeFrom: number | undefined;
  let removing = false;

  const signOut = async (): Promise<void> => {
    await account.signOut();
    await deps.health.change('needs_login', { why: 'signed out by its owner' });
    await lanes.setLogin(laneId, null);
    await lanes.setSealedKey(laneId, null);
    await lanes.setAccount(laneId, { email: null, planType: null, models: [] });
    await lanes.setWindows(laneId, []);
    log.info('an account was signed out by its owner');
  };

  const remove = async (): Promise<void> => {
    // Nobody is signed in, or the backend is away: the tokens go with the folder all the same.
    await account.signOut().catch((error: unknown) => log.warn({ err: error }, 'an account was removed unsigned-out'));
    await account.stop();
    await rm(deps.folder, { recursive: true, force: true });
    await deps.samples.removeOf(laneId);
    await lanes.remove(laneId);
    log.info('an account was removed by its owner');
  };

  /** Runs what is pending, once; a wish that failed counts as fulfilled, and the account's state says how it stands. */
  const fulfil = (wish: 'signOut' | 'check', wished: number, done: number, run: () => Promise<void>): void => {
    if (wished <= done || wished <= begun[wish]) return;
    begun[wish] = wished;
    chore(wish, async () => {
      try {
        await run();
      } finally {
        await lanes.fulfilled(laneId, wish, wished);
      }
    });
  };

  return (doc) => {
    if (doc.hold === 'draining' && slots.inUse === 0) {
      chore('drained', () => lanes.setDrained(laneId, clock.now()));
    }
    fulfil('signOut', doc.signOutWish, doc.signOutDone, signOut);
    fulfil('check', doc.checkWish, doc.checkDone, deps.check);
    if (doc.hold !== 'removing' || removing) return;
    removeFrom ??= clock.now();
    if (slots.inUse > 0 && clock.now() - removeFrom < FINISH_BEFORE_REMOVAL_MS) return;
    removing = true;
    chore('remove', () =>
      remove().catch((error: unknown) => {
        removing = false;
        throw error;
      }),
    );
  };
}
