import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { createSecretBox } from '../../core/secret-box.ts';
import type { LaneState } from '../../core/contracts/lane.ts';
import type { AccountStatus, CodexAccount } from '../../lanes/codex/codex-account.ts';
import type { LoginOffer } from '../../lanes/codex/device-login.ts';
import { UNKNOWN_WINDOWS } from '../../lanes/codex/plan-windows.ts';
import { createStores, type Stores } from '../../store/stores.ts';
import { hostPlanLane } from '../../workers/host-plan-lane.ts';
import type { Hosted } from '../../workers/hosted.ts';
import { createTemporaryFolder } from '../stack/temporary-folder.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { keptLog, plantLaneDoc } from '../support/planted.ts';
import { PATIENT } from '../support/patience.ts';

let database: TestDatabase;
let stores: Stores;
beforeAll(async () => {
  database = await openTestDatabase();
  stores = createStores(database.db);
});
afterAll(() => database.release());

let hosted: Hosted | undefined;
afterEach(async () => {
  await hosted?.stop();
  hosted = undefined;
});

const READY: AccountStatus = { state: 'ready', models: ['m'], windows: UNKNOWN_WINDOWS, configWarnings: [] };

const START_AGAIN_MS = 100;

/** Time for a start that must not come. */
const LATER_MS = 10 * START_AGAIN_MS;

/** A hosted account with a real lock, whose process the test has in hand. */
async function setUp(
  world: {
    start?: () => Promise<AccountStatus>;
    status?: AccountStatus;
    signIn?: () => Promise<LoginOffer>;
    state?: LaneState;
  } = {},
) {
  const dataDir = await createTemporaryFolder();
  const { log, lines } = keptLog();
  const seen = { started: 0, stopped: 0 };
  const account = {
    lane: {},
    login: {
      start: world.signIn ?? (() => Promise.reject(new Error('nobody signs in'))),
      cancel: async () => undefined,
    },
    start: () => {
      seen.started += 1;
      return world.start?.() ?? Promise.resolve(READY);
    },
    stop: async () => void (seen.stopped += 1),
    status: () => world.status ?? READY,
    onLoginCompleted: () => () => undefined,
    readWindows: async () => UNKNOWN_WINDOWS,
  } as unknown as CodexAccount;
  const doc = plantLaneDoc('0a1b2c3d4e5f', { kind: 'plan', state: world.state ?? 'ready' });
  hosted = await hostPlanLane(
    {
      lanes: stores.lanes,
      samples: stores.windowSamples,
      secretBox: createSecretBox(randomBytes(32).toString('base64')),
      dataDir,
      codexEnvironment: {},
      codexConfig: [],
      selfTest: Promise.resolve(undefined),
      createAccount: () => account,
      startAgainMs: START_AGAIN_MS,
      clock: systemClock,
      log,
    },
    doc,
  );
  /** As after a sleep of the machine: the lock is another's, which is noticed at the next sign of life, within two seconds. */
  const loseLock = (): Promise<void> =>
    rm(join(dataDir, 'locks', `account-${doc._id}.lock`), { recursive: true, force: true });
  return { hosted, doc, seen, lines, loseLock };
}

const soon = (check: () => void): Promise<void> => vi.waitFor(check, PATIENT);

describe('an account whose home may be another process’s', () => {
  it('has its own process ended at once, takes nothing more, and waits to be begun anew', async () => {
    const { hosted: running, seen, loseLock } = await setUp();
    await soon(() => expect(seen.started).toBe(1));
    expect(running.lane.availability()).toEqual({ open: true });
    await loseLock();
    await soon(() => expect(seen.stopped).toBe(1));
    expect(running.lost()).toBe(true);
    expect(running.lane.availability()).toEqual({ open: false, why: 'another process may have its home' });
  });

  it('does not start its process again', async () => {
    let fail: (error: Error) => void = () => undefined;
    const { seen, lines, loseLock } = await setUp({
      start: () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    });
    await soon(() => expect(seen.started).toBe(1));
    await loseLock();
    await soon(() => expect(seen.stopped).toBe(1));
    fail(new Error('The Codex process is being stopped.'));
    await hosted?.stop();
    expect(seen.started).toBe(1);
    expect(lines.join('')).not.toContain('trying again');
  });
});

describe('an account whose start has failed', () => {
  it('is not started again when its owner has got a code meanwhile', async () => {
    let offers = 0;
    const { doc, seen, lines } = await setUp({
      state: 'signing_in',
      start: async () => ({ ...READY, state: 'needs_login' }),
      signIn: async () => {
        offers += 1;
        if (offers === 1) {
          // The owner asks for one while it is tried.
          hosted?.refresh({ ...doc, loginWish: doc.loginWish + 1 });
          throw new Error('OpenAI is away.');
        }
        return { loginId: 'l', verificationUrl: 'https://x.example', userCode: 'A', expiresAt: 1 };
      },
    });
    await soon(() => expect(lines.join('')).toContain('trying again'));
    await soon(() => expect(offers).toBe(2));
    await sleep(LATER_MS);
    expect(seen.started).toBe(1);
    expect(offers).toBe(2);
  });

  it('keeps the code of its next start, although its owner had asked in vain before', async () => {
    let offers = 0;
    const status = { ...READY, state: 'needs_login' } as const;
    const { doc, seen, lines } = await setUp({
      state: 'signing_in',
      start: async () => status,
      status,
      signIn: async () => {
        offers += 1;
        if (offers === 1) hosted?.refresh({ ...doc, loginWish: doc.loginWish + 1 });
        // The start, and the owner right after it.
        if (offers <= 2) throw new Error('OpenAI is away.');
        return { loginId: 'l', verificationUrl: 'https://x.example', userCode: 'A', expiresAt: 1 };
      },
    });
    await soon(() => expect(lines.join('')).toContain('login wish'));
    await soon(() => expect(offers).toBe(3));
    await sleep(LATER_MS);
    expect(offers).toBe(3);
    expect(seen.started).toBe(2);
  });

  it('is not started again when it was stopped meanwhile', async () => {
    let fail: (error: Error) => void = () => undefined;
    const {
      hosted: running,
      seen,
      lines,
    } = await setUp({
      start: () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    });
    await soon(() => expect(seen.started).toBe(1));
    const stopped = running.stop();
    fail(new Error('The Codex process is being stopped.'));
    await stopped;
    await sleep(LATER_MS);
    expect(seen.started).toBe(1);
    expect(lines.join('')).not.toContain('trying again');
  });
});
