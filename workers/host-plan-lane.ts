import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/log.ts';
import { createCodexAccount, type AccountStatus } from '../lanes/codex/codex-account.ts';
import type { LaneDoc, LaneStore } from '../store/lanes.ts';
import type { Hosted } from './hosted.ts';
import { createLaneHealth } from './lane-health.ts';
import { createSlots } from './slots.ts';

interface HostPlanLaneDeps {
  readonly lanes: LaneStore;
  readonly dataDir: string;
  readonly codexEnvironment: Readonly<Record<string, string>>;
  readonly codexConfig: readonly string[];
  /** Why plan lanes must stay closed on this machine; undefined when the self-test was passed. */
  readonly selfTest: Promise<string | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A cooling account is asked this often whether its window was reset early. Reads the windows, runs nothing. */
const REREAD_COOLING_MS = 5 * 60_000;

/** An account that could not be started is started again after this long. */
const START_AGAIN_MS = 30_000;

/**
 * Hosts one ChatGPT account: its process, its sign-in and its state. The sign-in runs here because its tokens must come to
 * rest on this machine; the owner reads address and code from the database.
 */
export function hostPlanLane(deps: HostPlanLaneDeps, doc: LaneDoc): Hosted {
  const { lanes, clock } = deps;
  const { _id: laneId, alias, concurrency } = doc;
  const log = deps.log.child({ laneId, lane: alias });
  const health = createLaneHealth({ laneId, kind: 'plan', lanes, clock, random: Math.random, log }, doc);
  const slots = createSlots(concurrency);
  const folder = join(deps.dataDir, 'accounts', laneId);
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

  const account = createCodexAccount({
    accountId: laneId,
    alias,
    homeDir: join(folder, 'home'),
    workDir: join(folder, 'work'),
    codexEnvironment: deps.codexEnvironment,
    codexConfig: deps.codexConfig,
    log,
    clock,
    maxInFlight: concurrency,
    onWindows: ({ windows }) =>
      chore('windows', () =>
        lanes.setWindows(
          laneId,
          windows.map(({ kind, ...window }) => ({ name: kind, ...window })),
        ),
      ),
    onAuth: (state) => {
      if (state === 'needs_login' && health.state !== 'signing_in') {
        chore('sign-in', () => health.change('needs_login', { why: 'the sign-in is not accepted any more' }));
      }
    },
  });

  const signIn = async (): Promise<void> => {
    const offer = await account.login.start();
    await lanes.setLogin(laneId, offer);
    log.info({ verificationUrl: offer.verificationUrl }, 'an account waits for its owner to sign in');
  };

  const takeIn = async (status: AccountStatus): Promise<void> => {
    const refused = await deps.selfTest;
    if (refused !== undefined) return health.change('off', { why: `the self-test failed: ${refused}` });
    if (status.state === 'closed') return health.change('off', { why: status.closedBecause ?? 'closed' });
    if (status.state === 'needs_login') {
      if (health.state === 'signing_in') return signIn();
      return health.change('needs_login', { why: 'nobody is signed in' });
    }
    await lanes.setAccount(laneId, {
      email: status.email ?? null,
      planType: status.planType ?? null,
      models: status.models,
    });
    await lanes.setLogin(laneId, null);
    // A window that was out before a restart is out after it.
    if (health.availability().open || health.state !== 'cooling') await health.change('ready');
  };

  account.onLoginCompleted(({ success, status }) =>
    chore('login', async () => {
      if (success) return takeIn(status);
      await lanes.setLogin(laneId, null);
      log.info('a sign-in was not completed; the code is void');
    }),
  );
  let startAgain: NodeJS.Timeout | undefined;
  const start = async (): Promise<void> => {
    handledWish = current.loginWish;
    try {
      await takeIn(await account.start());
    } catch (error) {
      log.warn({ err: error }, 'an account could not be started; trying again');
      startAgain = setTimeout(() => chore('start', start), START_AGAIN_MS);
      const state = health.state === 'signing_in' ? 'signing_in' : 'unhealthy';
      await health.change(state, {
        why: 'its Codex process could not be started',
        until: clock.now() + START_AGAIN_MS,
      });
    }
  };
  chore('start', start);
  const reread = setInterval(() => {
    if (health.state !== 'cooling') return;
    chore('re-read windows', async () => {
      const { ordinaryUsageAllowed } = await account.readWindows();
      if (ordinaryUsageAllowed === true) await health.change('ready');
    });
  }, REREAD_COOLING_MS);

  return {
    lane: { ...health, lane: account.lane, acquire: (priority, signal) => slots.acquire(priority, signal) },
    concurrency,
    refresh(changed) {
      health.refresh(changed);
      current = changed;
      if (handledWish >= 0 && changed.loginWish > handledWish) {
        handledWish = changed.loginWish;
        chore('login wish', signIn);
      }
    },
    async stop() {
      clearInterval(reread);
      clearTimeout(startAgain);
      await account.stop();
      await chores;
    },
  };
}
