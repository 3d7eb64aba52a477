import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { LaneOutcome } from '../../core/lane-port.ts';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';
import type { LaneDoc } from '../../store/lanes.ts';
import { createStores } from '../../store/stores.ts';
import { hostPlanLane } from '../../workers/host-plan-lane.ts';
import type { Hosted } from '../../workers/hosted.ts';
import { startChatgptBackend, type ChatgptBackend } from '../standins/chatgpt/backend.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { PATIENT } from '../support/patience.ts';
import { keptLog, plantLaneDoc, silentLog } from '../support/planted.ts';

let database: TestDatabase;
let stores: ReturnType<typeof createStores>;
let chatgpt: ChatgptBackend;
let dataDir: string;
const hosted = new Map<string, Hosted>();

beforeEach(async () => {
  database = await openTestDatabase();
  stores = createStores(database.db);
  chatgpt = await startChatgptBackend({ accounts: { home: {}, work: {} } });
  dataDir = await mkdtemp(join(tmpdir(), 'flatlane-host-'));
});
afterEach(async () => {
  for (const one of hosted.values()) await one.stop();
  hosted.clear();
  await chatgpt.close();
  await database.release();
  await rm(dataDir, { recursive: true, force: true });
});

/** Adds an account and hosts it, as a worker does. */
async function host(
  laneId: string,
  given: Partial<LaneDoc> = {},
  otherwise: Partial<Parameters<typeof hostPlanLane>[0]> = {},
): Promise<void> {
  const doc = plantLaneDoc(laneId, { kind: 'plan', state: 'signing_in', models: [], loginWish: 1, ...given });
  if ((await stores.lanes.find(laneId)) === null) await stores.lanes.insert(doc);
  const deps = {
    lanes: stores.lanes,
    samples: stores.windowSamples,
    secretBox: createSecretBox(newMasterKey()),
    dataDir,
    codexEnvironment: chatgpt.codexEnvironment,
    codexConfig: chatgpt.codexConfig,
    selfTest: Promise.resolve(undefined),
    clock: systemClock,
    log: silentLog,
    ...otherwise,
  };
  hosted.set(laneId, await hostPlanLane(deps, (await stores.lanes.find(laneId)) ?? doc));
}

/** Looks at the lane as its worker does, until it is as wished. */
async function until(laneId: string, isSo: (doc: LaneDoc) => boolean): Promise<LaneDoc> {
  const givesUpAt = performance.now() + 30_000;
  for (;;) {
    const doc = await stores.lanes.find(laneId);
    if (doc === null) throw new Error('The lane is gone.');
    hosted.get(laneId)?.refresh(doc);
    if (isSo(doc)) return doc;
    if (performance.now() > givesUpAt) throw new Error(`${laneId} is ${doc.state}: ${doc.why}`);
    await sleep(50);
  }
}

const codeOf = async (laneId: string, before?: string): Promise<string> =>
  (await until(laneId, ({ login }) => login !== null && login.userCode !== before)).login?.userCode ?? '';

async function signIn(laneId: string, account: string): Promise<void> {
  chatgpt.approve(await codeOf(laneId), account);
}

/** What the admin route does when the owner wants to sign in. */
async function wishLogin(laneId: string): Promise<void> {
  await stores.lanes.setLogin(laneId, null);
  await stores.lanes.transition(laneId, 'signing_in', Date.now());
  await stores.lanes.wishLogin(laneId);
}

function ask(laneId: string): Promise<LaneOutcome> | undefined {
  return hosted.get(laneId)?.lane.lane.complete({
    requestId: 'req_test',
    body: { model: 'gpt-5.5', messages: [{ role: 'user', content: 'hi' }] },
    model: 'gpt-5.5',
    stream: false,
    deadlineAt: Date.now() + 30_000,
    signal: new AbortController().signal,
    onChunk: () => Promise.resolve(),
  });
}

/** The Codex processes of an account: children of ours that read their catalogue in the account's folder. */
function codexesOf(laneId: string): number[] {
  const folder = join(dataDir, 'accounts', laneId);
  const processes = execFileSync('ps', ['-axo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return processes
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => Number(match?.[2]) === process.pid && match?.[3]?.includes(folder))
    .map((match) => Number(match?.[1]));
}

function codexOf(laneId: string): number {
  const [pid] = codexesOf(laneId);
  if (pid === undefined) throw new Error('The account has no Codex process.');
  return pid;
}

describe('a sign-in of an account', () => {
  it.each([
    ['is denied', (code: string) => chatgpt.refuse(code, 'denied'), 'the sign-in was denied, or its code has expired'],
    [
      'expires at OpenAI',
      (code: string) => chatgpt.refuse(code, 'expired'),
      'the sign-in was denied, or its code has expired',
    ],
    [
      'fails at OpenAI',
      (code: string) => {
        chatgpt.failTokens(503);
        chatgpt.approve(code, 'home');
      },
      'the sign-in failed at OpenAI, with status 503; try again later',
    ],
  ])('that %s says why, and can be begun anew', async (_, end, why) => {
    await host('home');
    const code = await codeOf('home');
    end(code);
    expect(await until('home', ({ state }) => state !== 'signing_in')).toMatchObject({
      state: 'needs_login',
      why,
      login: null,
    });
    chatgpt.failTokens(undefined);
    await wishLogin('home');
    await signIn('home', 'home');
    expect(await until('home', ({ state }) => state === 'ready')).toMatchObject({ why: null, login: null });
  });

  it('gets another code when its Codex process dies, and the old one is shown no longer', async () => {
    await host('home');
    const code = await codeOf('home');
    process.kill(codexOf('home'), 'SIGKILL');
    const next = await codeOf('home', code);
    chatgpt.approve(next, 'home');
    await until('home', ({ state }) => state === 'ready');
  });
});

describe('a code that OpenAI does not give out', () => {
  const failed = (lines: readonly string[], chore: string): number =>
    lines.filter((line) => line.includes('could not be brought up to date') && line.includes(chore)).length;

  it('is asked for again when the Codex process of a sign-in has died', async () => {
    const { log, lines } = keptLog();
    await host('home', {}, { log, startAgainMs: 100 });
    const code = await codeOf('home');
    chatgpt.failCodes(503);
    process.kill(codexOf('home'), 'SIGKILL');
    await vi.waitFor(() => expect(failed(lines, 'login lost')).toBeGreaterThan(1), PATIENT);
    chatgpt.failCodes(undefined);
    chatgpt.approve(await codeOf('home', code), 'home');
    await until('home', ({ state }) => state === 'ready');
  });

  it('is asked for again when the owner wants to sign in', async () => {
    const { log, lines } = keptLog();
    await host('home', {}, { log, startAgainMs: 100 });
    chatgpt.refuse(await codeOf('home'), 'denied');
    await until('home', ({ state }) => state === 'needs_login');
    chatgpt.failCodes(503);
    await wishLogin('home');
    await until('home', () => failed(lines, 'login wish') > 1);
    chatgpt.failCodes(undefined);
    await signIn('home', 'home');
    await until('home', ({ state }) => state === 'ready');
  });
});

describe('a start that fails when the Codex process is up', () => {
  const triesOf = (lines: readonly string[]): number => lines.filter((line) => line.includes('trying again')).length;

  it('goes on with that process until OpenAI gives out a code, and nothing of it is left after a stop', async () => {
    chatgpt.failCodes(503);
    const { log, lines } = keptLog();
    await host('home', {}, { log, startAgainMs: 100 });
    await vi.waitFor(() => expect(triesOf(lines)).toBe(1), PATIENT);
    const before = codexesOf('home');
    expect(before).toHaveLength(1);
    await vi.waitFor(() => expect(triesOf(lines)).toBeGreaterThan(3), PATIENT);
    expect(codexesOf('home')).toEqual(before);

    chatgpt.failCodes(undefined);
    await signIn('home', 'home');
    await until('home', ({ state }) => state === 'ready');
    expect(await ask('home')).toMatchObject({ ok: true });
    await hosted.get('home')?.stop();
    expect(codexesOf('home')).toEqual([]);
  });

  it('goes on with that process until the database is back', async () => {
    await host('home');
    await signIn('home', 'home');
    await until('home', ({ state }) => state === 'ready');
    await hosted.get('home')?.stop();

    const away = ['list', 'setAccount', 'transition', 'transition'];
    const lanes = new Proxy(stores.lanes, {
      get(store, name: keyof typeof stores.lanes) {
        if (name !== away[0]) return store[name];
        away.shift();
        return () => Promise.reject(new Error('The database is away.'));
      },
    });
    await host('home', {}, { lanes, startAgainMs: 100 });
    await vi.waitFor(() => expect(codexesOf('home')).toHaveLength(1), PATIENT);
    const before = codexesOf('home');
    await vi.waitFor(() => expect(away).toEqual([]), PATIENT);
    await until('home', ({ state, until: end }) => state === 'ready' && end === null);
    expect(await ask('home')).toMatchObject({ ok: true });
    expect(codexesOf('home')).toEqual(before);
  });
});

describe('a new sign-in of an account that serves', () => {
  beforeEach(async () => {
    await host('home');
    await signIn('home', 'home');
    await until('home', ({ state }) => state === 'ready');
    await wishLogin('home');
  });

  it('leaves it open while it waits, and after it was denied', async () => {
    const code = await codeOf('home');
    await until('home', ({ state }) => state === 'ready');
    expect(hosted.get('home')?.lane.availability()).toEqual({ open: true });
    chatgpt.refuse(code, 'denied');
    await until('home', ({ state, login }) => state === 'ready' && login === null);
    expect(await ask('home')).toMatchObject({ ok: true });
  });

  it('takes its place when it succeeds', async () => {
    await signIn('home', 'work');
    expect(await until('home', ({ login }) => login === null)).toMatchObject({
      state: 'ready',
      email: 'work@example.com',
    });
  });

  it('goes on with another code when the Codex process dies meanwhile', async () => {
    const code = await codeOf('home');
    process.kill(codexOf('home'), 'SIGKILL');
    await codeOf('home', code);
    await until('home', ({ state }) => state === 'ready');
    expect(await ask('home')).toMatchObject({ ok: true });
  });
});

describe('a ChatGPT account that another lane serves', () => {
  it('is off as the later lane, says which one has it, and comes in with an account of its own', async () => {
    await host('home');
    await signIn('home', 'home');
    await until('home', ({ state }) => state === 'ready');
    await host('two');
    await signIn('two', 'home');
    expect(await until('two', ({ state }) => state !== 'signing_in')).toMatchObject({
      state: 'off',
      why: "the same ChatGPT account is signed in as 'home' already",
      email: 'home@example.com',
    });
    expect(await until('home', () => true)).toMatchObject({ state: 'ready' });

    // A restart changes nothing of it, whichever comes up first.
    for (const laneId of ['two', 'home']) {
      await hosted.get(laneId)?.stop();
      await host(laneId);
      await ask(laneId);
    }
    expect(await until('home', ({ state }) => state === 'ready')).toMatchObject({ email: 'home@example.com' });
    expect(await until('two', ({ state }) => state === 'off')).toMatchObject({ email: 'home@example.com' });

    await wishLogin('two');
    await signIn('two', 'work');
    expect(await until('two', ({ state }) => state === 'ready')).toMatchObject({
      email: 'work@example.com',
      why: null,
    });
  });
});
