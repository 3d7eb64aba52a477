import { join } from 'node:path';
import { MOST_PLAN_CONCURRENCY } from '../core/contracts/lane.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { createCodexAccount, type AccountStatus } from '../lanes/codex/codex-account.ts';
import { laneSecretPlace, type LaneDoc, type LaneStore } from '../store/lanes.ts';
import type { WindowSampleStore } from '../store/window-samples.ts';
import { createAccountWishes } from './account-wishes.ts';
import { lockHome } from './home-lock.ts';
import type { Hosted } from './hosted.ts';
import { createLaneHealth } from '../lanes/policy/lane-health.ts';
import { createProbeGate } from '../lanes/policy/probe-gate.ts';
import { createSlots } from '../lanes/policy/slots.ts';
import { sameAccountElsewhere } from './same-account.ts';
import { unlessAborted } from './unless-aborted.ts';
import { createWindowWatch } from './window-watch.ts';

interface HostPlanLaneDeps {
  readonly lanes: LaneStore;
  readonly samples: WindowSampleStore;
  readonly secretBox: SecretBox;
  readonly dataDir: string;
  readonly codexEnvironment: Readonly<Record<string, string>>;
  readonly codexConfig: readonly string[];
  /** Why plan lanes must stay closed on this machine; undefined when the self-test was passed. */
  readonly selfTest: Promise<string | undefined>;
  /** Another way to make the account; the Codex CLI unless set. */
  readonly createAccount?: typeof createCodexAccount;
  /** How long after a start in vain the next one comes; half a minute unless set. */
  readonly startAgainMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An account that could not be started is started again after this long. */
const START_AGAIN_MS = 30_000;

/**
 * Hosts one ChatGPT account: its process, its sign-in and its state. The sign-in runs here because its tokens must come to
 * rest on this machine; the owner reads address and code from the database.
 * @throws Error when another process has the account's home, or its access token was sealed with another master key
 */
export async function hostPlanLane(deps: HostPlanLaneDeps, doc: LaneDoc): Promise<Hosted> {
  const { lanes, clock, startAgainMs = START_AGAIN_MS } = deps;
  const { _id: laneId, alias } = doc;
  const log = deps.log.child({ laneId, lane: alias });
  const health = createLaneHealth({ laneId, kind: 'plan', lanes, clock, random: Math.random, log }, doc);
  const slots = createSlots(doc.concurrency);
  const folder = join(deps.dataDir, 'accounts', laneId);
  const accessToken = doc.sealedKey === null ? undefined : deps.secretBox.open(doc.sealedKey, laneSecretPlace(laneId));
  let lost = false;
  let isHomeLost = false;
  let isStopped = false;
  /** Until the account is taken in, or waits for its owner to sign in: a later start would make that code void. */
  let isStartDue = true;
  const unlock = await lockHome(deps.dataDir, laneId, () => {
    log.error('the lock of an account’s home was lost; its process is ended and started anew');
    lost = true;
    isHomeLost = true;
    // At once, whatever is under way: another process may have the home by now, and a refresh token can be used once.
    clearTimeout(startAgain);
    account.stop().catch((error: unknown) => log.error({ err: error }, 'an account’s process could not be ended'));
  });
  let handledWish = -1;
  let current = doc;
  /** Changes of the lane, one after the other; a failed one is logged and the lane stays as it is. */
  let chores: Promise<void> = Promise.resolve();
  const chore = (name: string, run: () => Promise<unknown>): void => {
    chores = chores.then(run).then(
      () => undefined,
      (error: unknown) => log.warn({ err: error, chore: name }, 'an account could not be brought up to date'),
    );
  };

  let startAgain: NodeJS.Timeout | undefined;
  const account = (deps.createAccount ?? createCodexAccount)({
    accountId: laneId,
    alias,
    homeDir: join(folder, 'home'),
    workDir: join(folder, 'work'),
    codexEnvironment: deps.codexEnvironment,
    codexConfig: deps.codexConfig,
    accessToken,
    log,
    clock,
    // The slots are what limits it, and they can be changed while it runs.
    maxInFlight: MOST_PLAN_CONCURRENCY,
    onWindows: (windows) => watch.onWindows(windows),
    onAuth: (state) => {
      if (state === 'ready') return;
      chore('sign-in', async () => {
        if (['signing_in', 'needs_login', 'off'].includes(health.state)) return;
        await health.change('needs_login', { why: 'the sign-in is not accepted any more' });
      });
    },
    onLoginLost: () =>
      untilOffered('login lost', async () => {
        log.info('the Codex process of a sign-in is gone; its code is void, and another one is asked for');
        await lanes.setLogin(laneId, null);
        await signIn();
      }),
  });
  const watch = createWindowWatch({
    laneId,
    readWindows: () => account.readWindows(),
    health,
    lanes,
    samples: deps.samples,
    clock,
    chore,
  });

  let askAgain: NodeJS.Timeout | undefined;
  let offers = 0;
  /**
   * Asks for a code until there is one: the owner who signs in waits for nothing else.
   * @param since the offers before a try that failed: what has come meanwhile, from wherever, must not be made void
   */
  const untilOffered = (name: string, ask: () => Promise<void>, since?: number): void => {
    clearTimeout(askAgain);
    chore(name, async () => {
      if (isHomeLost || isStopped) return;
      // Signed out, or denied, since.
      const isOverdue = since !== undefined && (since !== offers || health.state === 'needs_login');
      if (isOverdue) return;
      const before = offers;
      try {
        await ask();
      } catch (error) {
        if (!isHomeLost && !isStopped) askAgain = setTimeout(() => untilOffered(name, ask, before), startAgainMs);
        throw error;
      }
    });
  };

  const signIn = async (): Promise<void> => {
    const offer = await account.login.start();
    await lanes.setLogin(laneId, offer);
    offers += 1;
    isStartDue = false;
    log.info({ verificationUrl: offer.verificationUrl }, 'an account waits for its owner to sign in');
  };

  /** Why the account must not serve, whoever is signed in; undefined when it may. */
  const refusalOf = async (status: AccountStatus, isNew: boolean): Promise<string | undefined> => {
    const failed = await deps.selfTest;
    if (failed !== undefined) return `the self-test failed: ${failed}`;
    if (status.state === 'closed') return status.closedBecause ?? 'closed';
    const self = { ...current, state: health.state };
    const same = sameAccountElsewhere(self, status, isNew, await lanes.list());
    return same === undefined ? undefined : `the same ChatGPT account is signed in as '${same.alias}' already`;
  };

  /** @param isNew true when it was signed in just now */
  const takeIn = async (status: AccountStatus, isNew = false): Promise<void> => {
    const { email = null, planType = null, models } = status;
    // In one step: who sees that nobody waits for a sign-in any more must not see the account before it.
    const facts = { email, planType, models, ...(isNew ? { login: null } : {}) };
    const refused = await refusalOf(status, isNew);
    if (refused !== undefined) {
      if (status.state === 'ready') await lanes.setAccount(laneId, facts);
      return health.change('off', { why: refused });
    }
    if (status.state === 'needs_login') {
      if (accessToken !== undefined) return health.change('needs_login', { why: 'the access token is not accepted' });
      if (health.state === 'signing_in') return signIn();
      // Why nobody is signed in is known, or known better than this.
      if (health.state === 'needs_login') return;
      return health.change('needs_login', { why: 'nobody is signed in' });
    }
    await lanes.setAccount(laneId, facts);
    // A window that was out before a restart is out after it.
    if (health.state !== 'cooling') await health.change('ready');
    await watch.apply(status.windows, true);
    if (health.state === 'cooling' && health.availability().open) await health.change('ready');
  };

  /** Serves on with the sign-in that there is. What is known of its windows may be of long ago. */
  const serveOn = async (): Promise<void> => {
    await account.readWindows().catch((error: unknown) => log.warn({ err: error }, 'windows could not be read'));
    await takeIn(account.status());
  };

  /** The owner wants to sign in. A sign-in that holds goes on serving until there is another. */
  const signInAnew = async (): Promise<void> => {
    const status = account.status();
    // With another access token, or none any more, the process is about to be replaced.
    const holds = status.state === 'ready' && accessToken === undefined;
    if (holds && (await refusalOf(status, false)) === undefined) await serveOn();
    await signIn();
  };

  account.onLoginCompleted(({ success, why, status }) =>
    chore('login', async () => {
      if (success && status.state === 'ready') return takeIn(status, true);
      await lanes.setLogin(laneId, null);
      if (success) return takeIn(status, true);
      log.info({ why }, 'a sign-in was not completed; the code is void');
      return status.state === 'needs_login' ? health.change('needs_login', { why }) : serveOn();
    }),
  );
  /** Tried again until all of it has worked. A Codex process that runs since an earlier try is the one that it goes on with. */
  const start = async (): Promise<void> => {
    if (isHomeLost || isStopped || !isStartDue) return;
    handledWish = current.loginWish;
    try {
      // A code of an earlier process is dead.
      await lanes.setLogin(laneId, null);
      await takeIn(await account.start());
      isStartDue = false;
    } catch (error) {
      if (isHomeLost || isStopped) return;
      log.warn({ err: error }, 'an account could not be started; trying again');
      startAgain = setTimeout(() => chore('start', start), startAgainMs);
      const state = health.state === 'signing_in' ? 'signing_in' : 'unhealthy';
      await health.change(state, {
        why: 'its Codex process could not be started',
        until: clock.now() + startAgainMs,
      });
    }
  };
  /** Over when the first start was tried and the self-test is known: what comes earlier waits, though the state says ready. */
  const started = new Promise<void>((resolve) => {
    chore('start', () => start().finally(resolve));
  });
  const fulfilWishes = createAccountWishes({
    laneId,
    account,
    health,
    slots,
    lanes,
    samples: deps.samples,
    folder,
    check: async () => {
      await account.readAccount();
      if (account.status().state === 'ready') await account.readWindows();
      // A sign-in that waits for its owner goes on waiting: a check is no new code.
      if (health.state !== 'signing_in' || account.status().state === 'ready') await takeIn(account.status());
    },
    chore,
    clock,
    log,
  });
  fulfilWishes(doc);

  return {
    lane: {
      ...health,
      lane: account.lane,
      availability: (priority) =>
        isHomeLost ? { open: false, why: 'another process may have its home' } : health.availability(priority),
      acquire: createProbeGate(
        () => health.needsProbe(),
        async (priority, signal) => {
          await unlessAborted(started, signal);
          return slots.acquire(priority, signal);
        },
      ),
      inFlight: () => slots.inUse,
      async reportAnswer() {
        await health.reportAnswer();
        watch.afterTurn();
      },
    },
    // Its worker takes as many tasks as the account may ever serve at a time; the slots admit as many as its owner wants now.
    concurrency: MOST_PLAN_CONCURRENCY,
    lost: () => lost,
    refresh(changed) {
      health.refresh(changed);
      current = changed;
      // Another access token, or none any more: the process has the old one in its environment.
      if (changed.sealedKey !== doc.sealedKey) lost = true;
      slots.setLimit(changed.concurrency);
      fulfilWishes(changed);
      if (handledWish >= 0 && changed.loginWish > handledWish) {
        handledWish = changed.loginWish;
        untilOffered('login wish', signInAnew);
      }
    },
    async stop() {
      isStopped = true;
      watch.stop();
      clearTimeout(startAgain);
      clearTimeout(askAgain);
      await account.stop();
      await chores;
      await unlock().catch((error: unknown) => log.warn({ err: error }, 'the lock of an account’s home was gone'));
    },
  };
}
