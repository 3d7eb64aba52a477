import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endIfSilent, watchSilence } from '../../../lanes/codex/liveness.ts';
import { RpcError, type RpcErrorKind } from '../../../lanes/codex/rpc-client.ts';

function probed(outcome: RpcErrorKind | 'answered') {
  const seen = { probes: 0, stops: 0 };
  const call = async (method: string): Promise<unknown> => {
    expect(method).toBe('thread/loaded/list');
    seen.probes += 1;
    if (outcome !== 'answered') throw new RpcError(outcome, 'planted');
    return {};
  };
  const rpc = {
    call,
    listen: () => () => undefined,
    tell: () => undefined,
    initialized: () => undefined,
    fail: () => undefined,
  };
  const stop = async (): Promise<void> => void (seen.stops += 1);
  return { seen, process: { rpc, stop } };
}

describe('endIfSilent', () => {
  it.each([
    ['answered', false],
    ['refused', false],
    ['busy', false],
    ['timeout', true],
    ['lost', true],
  ] as const)('when the probe is %s ends the process: %s', async (outcome, ended) => {
    const { seen, process } = probed(outcome);
    expect(await endIfSilent(process)).toBe(ended);
    expect(seen).toEqual({ probes: 1, stops: ended ? 1 : 0 });
  });
});

describe('watchSilence', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('probes after each span in which nothing was heard, and leaves no timer behind', async () => {
    const { seen, process } = probed('answered');
    const watch = watchSilence(process);
    watch.heard();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(seen.probes).toBe(0);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(seen).toEqual({ probes: 2, stops: 0 });
    watch.end();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends a process that is silent to the probe too', async () => {
    const { seen, process } = probed('timeout');
    const watch = watchSilence(process);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(seen.stops).toBe(1);
    watch.end();
  });
});
