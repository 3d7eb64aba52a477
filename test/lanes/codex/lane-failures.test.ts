import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { RpcError, type RpcClient } from '../../../lanes/codex/rpc-client.ts';
import { runTurn, type TurnResult } from '../../../lanes/codex/run-turn.ts';
import { startCodex } from '../../standins/codex-driver.ts';
import { collector, says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount(2);
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());
beforeEach(() => under.backend.reset());

describe.each(['websocket', 'sse'] as const)('a failure over %s', (transport) => {
  beforeEach(() => under.backend.script('main', { transport }));

  it('at the end of a window says until when, and is tried once', async () => {
    const outcome = await under.complete(says('[[limit]]'));
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'window_exhausted', upstreamStatus: 429 } });
    const until = outcome.ok ? 0 : (outcome.failure.unavailableUntil ?? 0);
    expect(until - Date.now()).toBeGreaterThan(1_700_000);
    expect(until - Date.now()).toBeLessThan(1_900_000);
    expect(under.backend.attempts()).toHaveLength(1);
    expect(under.heard.windows.at(-1)?.windows).toContainEqual(
      expect.objectContaining({ kind: 'five_hours', usedPercent: 100 }),
    );
  });

  // At most: over a WebSocket the CLI's first retry comes without a word, over SSE it tries a request five times before any.
  it.each([
    ['[[status:400]]', 'caller_fault', 1, 1],
    ['[[status:404]]', 'broken', 2, 1],
    ['[[status:429]]', 'rate_limited', 1, 1],
    ['[[status:500]]', 'broken', 2, 5],
    ['[[status:503]]', 'overloaded', 1, 5],
    ['[[half]]', 'broken', 2, 1],
    ['[[context]]', 'caller_fault', 1, 1],
    ['[[policy]]', 'caller_fault', 1, 1],
  ])('after %s has the class %s and few attempts', async (word, failureClass, webSocketAttempts, sseAttempts) => {
    const outcome = await under.complete(says(word));
    expect(under.backend.attempts().length).toBeLessThanOrEqual(transport === 'sse' ? sseAttempts : webSocketAttempts);
    expect(outcome).toMatchObject({
      ok: false,
      failure: { class: failureClass, reachedUpstream: true, answerStarted: false },
    });
    expect(JSON.stringify(outcome)).not.toMatch(/https?:|As scripted/);
    expect(textOf(await under.complete(says('and now')))).toBe('echo: and now');
  });
});

it.each(['websocket', 'sse'] as const)(
  'a message that is whole when its stream over %s breaks is not given twice',
  async (transport) => {
    under.backend.script('main', { transport, failNext: ['after-call:cut'] });
    const outcome = await under.complete(says('[[say:one two three]]'));
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'broken', answerStarted: false } });
    expect(textOf(await under.complete(says('next')))).toBe('echo: next');
  },
);

describe('a turn that is ended', () => {
  it('by its deadline is over, and the lane goes on', async () => {
    const outcome = await under.complete(says('[[hang]]'), { deadlineAt: Date.now() + 300 });
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'broken', reachedUpstream: true } });
    await expect.poll(() => under.backend.counts().byOutcome.open ?? 0).toBe(0);
    expect(textOf(await under.complete(says('next')))).toBe('echo: next');
  });

  it('by its caller is cancelled upstream as well', async () => {
    const abort = new AbortController();
    const running = under.complete(says('[[hang]]'), { signal: abort.signal });
    await expect.poll(() => under.backend.counts().calls).toBe(1);
    abort.abort();
    expect(await running).toMatchObject({ ok: false, failure: { class: 'cancelled' } });
    await expect.poll(() => under.backend.counts().byOutcome.open ?? 0).toBe(0);
  });

  it('in the middle of a stream says that the answer had started', async () => {
    const { chunks, call } = collector();
    const outcome = await under.complete(says('[[say:one two three four five six]] [[half]]'), call);
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(text.length).toBeGreaterThan(0);
    expect('one two three four five six').toContain(text);
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'broken', answerStarted: true } });
  });

  it('by a caller who does not take its chunks is cancelled', async () => {
    const outcome = await under.complete(says('x'), { stream: true, onChunk: () => Promise.reject(new Error('gone')) });
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'cancelled' } });
  });

  it('by the death of the process is lost at once, and the next call finds a new process', async () => {
    const running = under.complete(says('[[hang]]'));
    await expect.poll(() => under.backend.counts().calls).toBe(1);
    const pid = under.account.pid() ?? 0;
    process.kill(pid, 'SIGKILL');
    expect(await running).toMatchObject({
      ok: false,
      failure: { class: 'process_lost', reachedUpstream: true, lostProcess: pid },
    });
    expect(textOf(await under.complete(says('again')))).toBe('echo: again');
    expect(under.account.pid()).not.toBe(pid);
    expect(under.account.status()).toMatchObject({ state: 'ready', email: 'main@example.com' });
  });
});

describe('a process that is stopped', () => {
  const stopIt = async (): Promise<number> => {
    await expect.poll(() => under.backend.counts().calls).toBe(1);
    const pid = under.account.pid() ?? 0;
    process.kill(pid, 'SIGSTOP');
    return pid;
  };
  const isReplaced = async (pid: number): Promise<void> => {
    expect(textOf(await under.complete(says('next')))).toBe('echo: next');
    expect(under.account.pid()).not.toBe(pid);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  };

  it('is ended when a turn hears nothing and the probe is not answered', async () => {
    const running = under.complete(says('[[hang]]'), { deadlineAt: Date.now() + 120_000 });
    const pid = await stopIt();
    expect(await running).toMatchObject({ ok: false, failure: { class: 'process_lost', lostProcess: pid } });
    await isReplaced(pid);
  });

  it('is ended when a turn can not be interrupted at its deadline', async () => {
    const running = under.complete(says('[[hang]]'), { deadlineAt: Date.now() + 2_000 });
    const pid = await stopIt();
    expect(await running).toMatchObject({ ok: false, failure: { class: 'broken' } });
    await isReplaced(pid);
  });
});

describe('a lane that is full', () => {
  it('takes no more than it may, and says so at once', async () => {
    const abort = new AbortController();
    const running = [1, 2].map(() => under.complete(says('[[hang]]'), { signal: abort.signal }));
    expect(await under.complete(says('x'))).toMatchObject({
      ok: false,
      failure: { class: 'lane_unavailable', reachedUpstream: false },
    });
    abort.abort();
    await Promise.all(running);
    expect(textOf(await under.complete(says('x')))).toBe('echo: x');
  });
});

/** Runs a turn on a process whose calls are answered by the test. */
const runOn = (call: RpcClient['call'], stop: () => Promise<void> = () => Promise.resolve()): Promise<TurnResult> =>
  runTurn(
    {
      rpc: {
        call,
        listen: () => () => undefined,
        tell: () => undefined,
        initialized: () => undefined,
        fail: () => undefined,
      },
      pid: 1,
      configWarnings: () => [],
      exited: new Promise(() => undefined),
      onExit: () => () => undefined,
      stop,
    },
    {
      model: 'm',
      request: { items: [] } as never,
      answer: {} as never,
      workDir: '/',
      remainingMs: 1_000,
      signal: new AbortController().signal,
      onChunk: undefined,
    },
  );

describe('a call that the CLI does not answer', () => {
  const silentFor = (isSilent: (method: string) => boolean) => async (method: string) => {
    if (isSilent(method)) throw new RpcError('timeout', 'planted');
    return {};
  };

  it('fails its request alone while the process answers the probe, and asks for another lane', async () => {
    const stop = vi.fn<() => Promise<void>>();
    const result = await runOn(
      silentFor((method) => method === 'thread/start'),
      stop,
    );
    expect(result).toMatchObject({ ok: false, failure: { class: 'unsupported', callerError: { status: 400 } } });
    expect(stop).not.toHaveBeenCalled();
  });

  it('ends the process when the probe is not answered either', async () => {
    const stop = vi.fn<() => Promise<void>>();
    const result = await runOn(
      silentFor(() => true),
      stop,
    );
    expect(result).toMatchObject({ ok: false, failure: { class: 'process_lost', lostProcess: 1 } });
    expect(stop).toHaveBeenCalledOnce();
  });
});

describe('a turn that the CLI starts late, when its request is over', () => {
  it('is interrupted as soon as its start is answered', async () => {
    let startLate: (result: unknown) => void = () => undefined;
    const called: unknown[] = [];
    const result = await runOn(async (method, params, _limitMs, onLate) => {
      called.push([method, params['turnId']]);
      if (method === 'thread/start') return { thread: { id: 'thread_1' } };
      if (method !== 'turn/start') return {};
      startLate = onLate ?? startLate;
      throw new RpcError('timeout', 'planted');
    });
    expect(result).toMatchObject({ ok: false, failure: { class: 'unsupported' }, reachedUpstream: true });
    expect(called.at(-1)).toEqual(['thread/unsubscribe', undefined]);
    startLate({ turn: { id: 'turn_1' } });
    expect(called.at(-1)).toEqual(['turn/interrupt', 'turn_1']);
  });
});

describe('a CLI that has too much to do', () => {
  it('is overloaded, and harms the lane no more than that', async () => {
    const refuse = (method: string): Promise<unknown> =>
      Promise.reject(new RpcError('refused', `${method} was refused`, -32_001));
    const result = await runOn(refuse);
    expect(result).toMatchObject({ ok: false, failure: { class: 'overloaded' } });
  });

  it('says so with the code that is taken for it', async () => {
    const { codexEnvironment, codexConfig } = under.backend;
    const codex = await startCodex({ environment: codexEnvironment, config: codexConfig });
    try {
      const refused = codex.until((message) => message.error !== undefined, 0);
      // Not each of them is answered by a CLI that is this busy, so none is waited for.
      for (let call = 0; call < 800; call += 1) codex.call('model/list', {}).catch(() => undefined);
      expect(await refused).toMatchObject({ error: { code: -32_001 } });
    } finally {
      await codex.close();
    }
  });
});
