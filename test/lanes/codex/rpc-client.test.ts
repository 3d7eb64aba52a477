import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { echoOf } from '../../../lanes/codex/injected-echo.ts';
import { createRpcClient, type RpcClient, type RpcNotification } from '../../../lanes/codex/rpc-client.ts';
import type { RpcMethod } from '../../../lanes/codex/rpc-methods.ts';

interface Wire {
  readonly rpc: RpcClient;
  readonly output: PassThrough;
  /** What was sent, parsed. */
  readonly sent: () => Record<string, unknown>[];
  /** Writes messages as the CLI would, and lets them arrive. */
  readonly say: (...messages: unknown[]) => Promise<void>;
  readonly notifications: RpcNotification[];
  readonly broken: string[];
}

/** @param refuses a method whose notifications its reader throws over */
function wire(refuses?: string): Wire {
  const output = new PassThrough();
  const input = new PassThrough();
  const lines: Buffer[] = [];
  input.on('data', (chunk: Buffer) => lines.push(chunk));
  const notifications: RpcNotification[] = [];
  const broken: string[] = [];
  const rpc = createRpcClient({
    output,
    input,
    log: createLogger('silent', 'test'),
    onNotification: (notification) => {
      if (notification.method === refuses) throw new Error('another shape');
      notifications.push(notification);
    },
    onBroken: (reason) => broken.push(reason),
  });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    rpc,
    output,
    notifications,
    broken,
    sent: () =>
      Buffer.concat(lines)
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async say(...messages) {
      for (const message of messages)
        output.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
      await settle();
    },
  };
}

describe('createRpcClient', () => {
  it('matches results with calls by their id, in whatever order they come', async () => {
    const { rpc, say, sent } = wire();
    const first = rpc.call('account/read', { refreshToken: false });
    const second = rpc.call('model/list', {});
    await say({ id: 2, result: 'two' }, { id: 1, result: 'one' });
    expect(await Promise.all([first, second])).toEqual(['one', 'two']);
    expect(sent()).toEqual([
      { id: 1, method: 'account/read', params: { refreshToken: false } },
      { id: 2, method: 'model/list', params: {} },
    ]);
  });

  it.each(['command/exec', 'fs/readFile', 'config/value/write', 'process/spawn', 'thread/resume'])(
    'never sends %s',
    (method) => {
      const { rpc, sent } = wire();
      expect(() => rpc.call(method as RpcMethod, {})).toThrow('may not be sent');
      expect(sent()).toEqual([]);
    },
  );

  it('refuses requests of the CLI that are not ours to answer', async () => {
    const { rpc, say, sent } = wire();
    rpc.listen('t1', () => undefined);
    await say(
      { id: 7, method: 'item/commandExecution/requestApproval', params: { threadId: 't1' } },
      { id: 'x', method: 'item/tool/call', params: { threadId: 'nobody' } },
    );
    expect(sent()).toEqual([
      { id: 7, error: { code: -32_601, message: expect.any(String) as string } },
      { id: 'x', error: { code: -32_601, message: expect.any(String) as string } },
    ]);
  });

  it('leaves a function call of a live turn open', async () => {
    const { rpc, say, sent } = wire();
    rpc.listen('t1', () => undefined);
    await say({ id: 7, method: 'item/tool/call', params: { threadId: 't1' } });
    expect(sent()).toEqual([]);
  });

  it('gives notifications to the thread that they belong to, and others to the account', async () => {
    const { rpc, say, notifications } = wire();
    const heard: RpcNotification[] = [];
    const unlisten = rpc.listen('t1', (notification) => heard.push(notification));
    await say(
      { method: 'turn/completed', params: { threadId: 't1' } },
      { method: 'turn/completed', params: { threadId: 't2' } },
      { method: 'account/updated', params: {} },
    );
    unlisten();
    await say({ method: 'error', params: { threadId: 't1' } });
    expect(heard.map(({ method }) => method)).toEqual(['turn/completed']);
    expect(notifications.map(({ method }) => method)).toEqual(['turn/completed', 'account/updated', 'error']);
  });

  it('tells the listener of a thread what was heard elsewhere, and nobody else', () => {
    const { rpc, notifications } = wire();
    const heard: RpcNotification[] = [];
    rpc.listen('t1', (notification) => heard.push(notification));
    rpc.tell('t1', { method: 'heard', params: {} });
    rpc.tell('t2', { method: 'unheard', params: {} });
    expect([heard.map(({ method }) => method), notifications]).toEqual([['heard'], []]);
  });

  it('keeps characters whole that fall on two chunks', async () => {
    const { rpc, output } = wire();
    const result = rpc.call('model/list', {});
    const bytes = Buffer.from(`${JSON.stringify({ id: 1, result: 'grün 🙂' })}\n`);
    for (const byte of bytes) output.write(Buffer.of(byte));
    expect(await result).toBe('grün 🙂');
  });

  it('tolerates some garbage, and takes the process as broken when it does not end', async () => {
    const { rpc, say, broken } = wire();
    const lost = expect(rpc.call('model/list', {})).rejects.toMatchObject({ kind: 'lost' });
    await say('WARNING: not json', '[]', '{"neither": "id nor method"}');
    expect(broken).toEqual([]);
    await say(...Array.from({ length: 20 }, () => 'noise'));
    expect(broken).toHaveLength(1);
    await lost;
    await expect(rpc.call('model/list', {})).rejects.toMatchObject({ kind: 'lost' });
  });

  it('counts a notification that its reader throws over as garbage, of a thread or of none, and reads on', async () => {
    const { rpc, say, broken, notifications } = wire('account/login/completed');
    const unreadable = { method: 'account/login/completed', params: { success: 'perhaps' } };
    await say(unreadable, { method: 'account/updated' });
    expect(notifications.map(({ method }) => method)).toEqual(['account/updated']);
    rpc.listen('t1', () => {
      throw new Error('another shape');
    });
    expect(() => rpc.tell('t1', { method: 'heard', params: {} })).not.toThrow();
    await say(...Array.from({ length: 18 }, () => ({ method: 'turn/completed', params: { threadId: 't1' } })));
    expect(broken).toEqual([]);
    await say(unreadable);
    expect(broken).toHaveLength(1);
  });

  it('drops the echo of injected items unread, however large it is', async () => {
    const { rpc, say, broken, notifications } = wire();
    rpc.listen('t1', () => undefined);
    const head = '{"method":"rawResponseItem/completed","params":{"threadId":"t1","turnId":"auto-compact-0","item":';
    await say(...Array.from({ length: 30 }, () => `${head}not even json`));
    expect([broken, notifications]).toEqual([[], []]);
  });

  it('tells the thread of an echo whether an image was left out', async () => {
    const { rpc, say } = wire();
    const heard: RpcNotification[] = [];
    rpc.listen('t1', (notification) => heard.push(notification));
    const echo = (threadId: string, kinds: string): string =>
      `{"method":"rawResponseItem/completed","params":{"threadId":"${threadId}","turnId":"auto-compact-0",` +
      `"item":{"passthrough":{"content_item_kinds":["unknown"${kinds}]}}}}`;
    await say(echo('t2', ',"images.preparation_error"'), echo('t1', ''), echo('t1', ',"images.preparation_error"'));
    expect(heard.map(echoOf)).toEqual([{ imageLeftOut: false }, { imageLeftOut: true }]);
  });

  it('gives a call up after its time limit', async () => {
    const { rpc, say } = wire();
    await expect(rpc.call('model/list', {}, 5)).rejects.toMatchObject({ kind: 'timeout' });
    await say({ id: 1, result: 'late' });
  });

  it('hands a late result over once where it is wanted, and no refusal', async () => {
    const { rpc, say } = wire();
    const late: unknown[] = [];
    const inVain = (): Promise<unknown> => rpc.call('turn/start', {}, 5, (result) => late.push(result));
    await expect(inVain()).rejects.toMatchObject({ kind: 'timeout' });
    await expect(inVain()).rejects.toMatchObject({ kind: 'timeout' });
    await say({ id: 1, result: 'late' }, { id: 1, result: 'again' }, { id: 2, error: { code: 1, message: 'no' } });
    expect(late).toEqual(['late']);
  });

  it('hides what the CLI says when it refuses a call', async () => {
    const { rpc, say } = wire();
    const call = rpc.call('thread/start', {});
    const refusal = expect(call).rejects.toMatchObject({
      kind: 'refused',
      code: -32_600,
      message: 'The Codex CLI refused a call (-32600).',
    });
    await say({ id: 1, error: { code: -32_600, message: 'see /home/secret' } });
    await refusal;
  });

  it('has a bound for calls in flight', async () => {
    const { rpc } = wire();
    const calls = Array.from({ length: 65 }, () => rpc.call('model/list', {}));
    await expect(calls.pop()).rejects.toMatchObject({ kind: 'busy' });
    rpc.fail('the end');
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
  });
});
