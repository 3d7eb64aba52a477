import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { PLAN_SIGNALS, type PlanSignal, type PlanSignalRow } from '../support/lane-signals.ts';
import { createSignalWorld, type SignalWorld, type Told } from '../support/signal-world.ts';
import { ROOT } from '../support/spawned-node.ts';

/** The account first and a key lane behind it; and the account alone. */
const BOTH = 'gpt-5.5';
const PLAN_ONLY = 'plan-only';

/** What makes the backend give the signal to each model call, and what one request comes to on the account. */
type Provocation =
  | {
      readonly word: string;
      readonly outcomes: readonly string[];
      /** Model calls that the backend sees at most: the CLI's first retry of its own comes without a word. */
      readonly calls: number;
    }
  /** Has a test of its own below, or in another file, of this title. */
  | { readonly title: string; readonly file: string };

const HERE = 'test/integration/plan-signals.test.ts';
const LANE = 'test/lanes/codex/lane-failures.test.ts';
const refused = { outcomes: ['caller_fault'], calls: 1 } as const;

const PROVOKED: Record<PlanSignal, Provocation> = {
  usageLimitExceeded: { file: HERE, title: 'cools the account until the reset, and costs nothing until then' },
  rateLimitExceeded: { word: 'status:429', outcomes: ['rate_limited', 'rate_limited'], calls: 2 },
  serverOverloaded: { word: 'status:503', outcomes: ['overloaded', 'overloaded'], calls: 2 },
  flexUnavailable: { word: 'failed:flex_unavailable', outcomes: ['overloaded', 'overloaded'], calls: 2 },
  'responseTooManyFailedAttempts with 429': {
    word: 'failed:rate_limit_exceeded',
    outcomes: ['rate_limited', 'rate_limited'],
    calls: 4,
  },
  unauthorized: { file: HERE, title: 'needs a login when the sign-in is over, and asks no more' },
  'httpConnectionFailed with 401': {
    file: HERE,
    title: 'survives one refusal of the sign-in by a refresh, and needs a login after the second',
  },
  modelNotFound: { word: 'failed:model_not_found', outcomes: ['model_unavailable'], calls: 1 },
  contextWindowExceeded: { word: 'context', ...refused },
  badRequest: { word: 'status:400', ...refused },
  cyberPolicy: { word: 'policy', ...refused },
  misalignmentPolicyViolation: { word: 'failed:misalignment_policy_violation', ...refused },
  other: { word: 'failed:bio_policy', outcomes: ['broken', 'broken'], calls: 2 },
  responseStreamDisconnected: { word: 'half', outcomes: ['broken', 'broken'], calls: 4 },
  idle: { file: LANE, title: 'by its deadline is over, and the lane goes on' },
  'process exit': { file: HERE, title: 'loses a process, starts the next, and serves the request there' },
  'the CLI is too busy': { file: LANE, title: 'is overloaded, and harms the lane no more than that' },
};

let gateway: Gateway;
let world: SignalWorld;
let account: string;
let spare: string;

const callsAt = (alias = 'home'): number =>
  Object.values(gateway.chatgpt.counts().byAccount[alias] ?? {}).reduce((sum, count) => sum + count, 0);
const failWith = (word: string | undefined): void =>
  gateway.chatgpt.script('home', { failNext: word === undefined ? [] : Array.from({ length: 12 }, () => word) });
const signIn = async (): Promise<void> => {
  await gateway.admin.call('POST', `/admin/accounts/${account}/login`);
  const waiting = await gateway.admin.waitForAccount(account, ({ login }) => login !== null, 20_000);
  gateway.chatgpt.approve(waiting.login?.userCode ?? '', 'home');
  await gateway.admin.waitForAccount(account, ({ state }) => state === 'ready', 20_000);
};
/** What an account that is out must not do: cost anything. */
const expectLeftAlone = async (): Promise<Told> => {
  const before = callsAt();
  const told = await world.ask(BOTH, 'somebody else, please');
  expect(told.lane).toBe(spare);
  expect(told.attempts.some(({ laneId, reachedUpstream }) => laneId === account && reachedUpstream)).toBe(false);
  expect(callsAt()).toBe(before);
  return told;
};

beforeAll(async () => {
  gateway = await startGateway({ home: {} });
  world = createSignalWorld(gateway);
  const { admin, chatgpt, openai } = gateway;
  account = (await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'))).id;
  spare = await admin.addKeyLane({ alias: 'spare', baseUrl: openai.url, apiKey: openai.key });
  await admin.setRoute(BOTH, [account, spare]);
  await admin.call('PUT', `/admin/routes/${PLAN_ONLY}`, { lanes: [{ laneId: account, model: BOTH }] });
});
afterAll(() => gateway.stop());
afterEach(() => gateway.chatgpt.script('home', { failNext: [], unauthorized: undefined, exhaustAfter: undefined }));

it('provokes each signal of the table', async () => {
  expect(Object.keys(PROVOKED).sort()).toEqual(Object.keys(PLAN_SIGNALS).sort());
  for (const provocation of Object.values(PROVOKED)) {
    if (!('title' in provocation)) continue;
    expect(await readFile(join(ROOT, provocation.file), 'utf8')).toContain(`it('${provocation.title}'`);
  }
});

const provokedByWord = Object.entries(PROVOKED).flatMap(([signal, provocation]) =>
  'word' in provocation ? [{ signal: signal as PlanSignal, ...provocation }] : [],
);

describe.each(provokedByWord)('the signal $signal', ({ signal, word, outcomes, calls }) => {
  const row: PlanSignalRow = PLAN_SIGNALS[signal];
  const isTheCallers = row.request[0] === 'fail';

  it(isTheCallers ? 'is told at once, and harms nothing' : 'sends the request on', async () => {
    const before = callsAt();
    failWith(word);
    const told = await world.ask(BOTH, 'hello');
    failWith(undefined);
    expect(world.outcomesOn(told, account)).toEqual(outcomes);
    expect(callsAt() - before).toBeGreaterThan(0);
    expect(callsAt() - before).toBeLessThanOrEqual(calls);
    world.expectNoForeignWords(told);
    if (isTheCallers) {
      expect([told.status, told.code]).toEqual(row.caller);
      expect(world.outcomesOn(told, spare)).toEqual([]);
    } else {
      expect(told).toMatchObject({ status: 200, lane: spare });
    }

    const lane = await world.lane(account);
    if (row.lane === null || row.lane.after > outcomes.length) {
      expect(lane).toMatchObject({ state: 'ready', why: null, coolingUntil: null });
    } else {
      expect(lane.state).toBe(row.lane.to);
      expect(lane.why).not.toBeNull();
      expect((lane.coolingUntil ?? 0) - Date.now()).toBeLessThanOrEqual(5_000);
      await expectLeftAlone();
    }
    await world.untilServedBy(BOTH, account);
  });
});

describe('a signal of a single lane', () => {
  it.each([
    ['failed:model_not_found', 'modelNotFound'],
    ['half', 'responseStreamDisconnected'],
    ['status:503', 'serverOverloaded'],
  ] as const)('%s is told in our words as it is in the table', async (word, signal) => {
    failWith(word);
    const told = await world.ask(PLAN_ONLY, 'hello');
    failWith(undefined);
    expect([told.status, told.code]).toEqual(PLAN_SIGNALS[signal].caller);
    world.expectNoForeignWords(told);
    await world.untilServedBy(BOTH, account);
  });
});

describe('an account', () => {
  // Whatever came before: each of these begins with an account that serves.
  beforeEach(() => world.untilServedBy(BOTH, account));

  it('cools the account until the reset, and costs nothing until then', async () => {
    const before = callsAt();
    const resetsAt = Date.now() + 3_000;
    gateway.chatgpt.script('home', { exhaustAfter: 0, resetsInSeconds: 3 });
    const told = await world.ask(BOTH, 'the last one');
    expect(told).toMatchObject({ status: 200, lane: spare });
    expect(world.outcomesOn(told, account)).toEqual(['window_exhausted']);
    expect(callsAt() - before).toBe(1);
    const lane = await world.lane(account);
    expect(lane).toMatchObject({ state: 'cooling', why: "the plan's window is used up" });
    // The reset comes in whole seconds.
    expect(Math.abs((lane.coolingUntil ?? 0) - resetsAt)).toBeLessThan(2_000);

    await expectLeftAlone();
    const alone = await world.ask(PLAN_ONLY, 'and now?');
    expect([alone.status, alone.code]).toEqual(PLAN_SIGNALS.usageLimitExceeded.caller);
    expect(alone.headers.get('x-should-retry')).toBe('false');
    expect(JSON.parse(alone.body)).toMatchObject({
      error: { resets_at: Math.ceil((lane.coolingUntil ?? 0) / 1000) },
    });
    expect(callsAt() - before).toBe(1);

    gateway.chatgpt.script('home', { exhaustAfter: undefined, resetsInSeconds: undefined });
    await world.untilServedBy(BOTH, account);
  });

  it('is waited for when its caller asks for that, without a call before the reset', async () => {
    const before = callsAt();
    gateway.chatgpt.script('home', { exhaustAfter: 0, resetsInSeconds: 3 });
    const wait = (seconds: number): { headers: Record<string, string> } => ({
      headers: { 'x-flatlane-wait': String(seconds) },
    });
    const first = world.ask(PLAN_ONLY, 'this one finds it out', wait(30));
    await expect.poll(async () => (await world.lane(account)).state).toBe('cooling');
    gateway.chatgpt.script('home', { exhaustAfter: undefined, resetsInSeconds: undefined });
    const leave = new AbortController();
    const left = world.ask(PLAN_ONLY, 'this one leaves', { ...wait(30), signal: leave.signal }).catch(() => 'left');
    const second = world.ask(PLAN_ONLY, 'this one comes while it is out', wait(30));
    const short = await world.ask(PLAN_ONLY, 'this one has no time', wait(1));
    leave.abort();
    expect([short.status, short.code]).toEqual([429, 'usage_limit_reached']);
    expect(callsAt() - before).toBe(1);
    expect(await left).toBe('left');

    for (const told of await Promise.all([first, second])) expect(told).toMatchObject({ status: 200, lane: account });
    expect(world.outcomesOn(await first, account)).toEqual(['window_exhausted', 'answered']);
    // It may have come while the other one was the probe that opens the lane again.
    expect(world.outcomesOn(await second, account).filter((outcome) => outcome !== 'lane_unavailable')).toEqual([
      'answered',
    ]);
    expect(callsAt() - before).toBe(3);
  });

  it('loses a process, starts the next, and serves the request there', async () => {
    const [pid] = await world.codexPids();
    const asked = world.ask(BOTH, '[[delay:3000]] do not get lost');
    await expect.poll(() => gateway.chatgpt.counts().byAccount['home']?.open).toBe(1);
    process.kill(pid ?? 0, 'SIGKILL');
    const told = await asked;
    expect(told).toMatchObject({ status: 200, lane: account });
    expect(world.outcomesOn(told, account)).toEqual(['process_lost', 'answered']);
    expect(await world.lane(account)).toMatchObject({ state: 'ready' });
    expect(await world.codexPids()).not.toContain(pid);
  });

  it('is left alone after five failures in a minute, until a single request has gone through', async () => {
    failWith('half');
    const outcomes: string[] = [];
    for (let request = 0; request < 3; request += 1) {
      const told = await world.ask(BOTH, 'hello');
      expect(told.lane).toBe(spare);
      outcomes.push(...world.outcomesOn(told, account));
      failWith('half');
    }
    failWith(undefined);
    expect(outcomes).toEqual(['broken', 'broken', 'broken', 'broken', 'broken', 'lane_unavailable']);
    expect(await world.lane(account)).toMatchObject({ state: 'unhealthy' });
    await expectLeftAlone();
    await world.untilServedBy(BOTH, account);
  });

  it('is not harmed by a prompt that is refused again and again', async () => {
    for (let request = 0; request < 7; request += 1) {
      failWith('failed:invalid_prompt');
      const told = await world.ask(BOTH, 'how to do harm');
      expect([told.status, told.code]).toEqual([400, 'content_policy_violation']);
      world.expectNoForeignWords(told);
    }
    failWith(undefined);
    expect(await world.lane(account)).toMatchObject({ state: 'ready' });
    expect((await world.ask(BOTH, 'how to do good')).lane).toBe(account);
  });

  it('survives one refusal of the sign-in by a refresh, and needs a login after the second', async () => {
    failWith('status:401');
    const once = await world.ask(BOTH, 'once');
    expect(once).toMatchObject({ status: 200, lane: spare });
    expect(world.outcomesOn(once, account)).toEqual(['lane_unavailable']);
    expect(await world.lane(account)).toMatchObject({ state: 'ready' });
    failWith(undefined);
    expect((await world.ask(BOTH, 'in between')).lane).toBe(account);

    for (const outcome of ['lane_unavailable', 'unauthorized']) {
      failWith('status:401');
      expect(world.outcomesOn(await world.ask(BOTH, 'again'), account)).toEqual([outcome]);
    }
    failWith(undefined);
    expect((await world.lane(account)).state).toBe('needs_login');
    await expectLeftAlone();
    await signIn();
    await world.untilServedBy(BOTH, account);
  });

  it('needs a login when the sign-in is over, and asks no more', async () => {
    gateway.chatgpt.script('home', { unauthorized: true });
    const told = await world.ask(BOTH, 'hello');
    expect(told).toMatchObject({ status: 200, lane: spare });
    expect(world.outcomesOn(told, account)).toEqual(['unauthorized']);
    world.expectNoForeignWords(told);
    expect((await world.lane(account)).state).toBe('needs_login');
    const refreshes = gateway.chatgpt.refreshes('home');
    await expectLeftAlone();
    expect(gateway.chatgpt.refreshes('home')).toBe(refreshes);
    gateway.chatgpt.script('home', { unauthorized: undefined });
    await signIn();
    await world.untilServedBy(BOTH, account);
  });

  it('rests for an hour when its credits run out without a reset', async () => {
    failWith('failed:insufficient_quota');
    const told = await world.ask(BOTH, 'hello');
    failWith(undefined);
    expect(world.outcomesOn(told, account)).toEqual(['window_exhausted']);
    const { state, coolingUntil } = await world.lane(account);
    expect(state).toBe('cooling');
    expect(Math.round(((coolingUntil ?? 0) - Date.now()) / 60_000)).toBe(60);
    await expectLeftAlone();
  });
});
