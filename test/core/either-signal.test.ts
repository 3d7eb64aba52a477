import { describe, expect, it } from 'vitest';
import { eitherSignal } from '../../core/either-signal.ts';

describe('a signal of two', () => {
  it.each([0, 1])('comes with the first of them, and with its reason: %i', (which) => {
    const controllers = [new AbortController(), new AbortController()] as const;
    const [one, other] = controllers;
    const signal = eitherSignal(one.signal, other.signal);
    expect(signal.aborted).toBe(false);
    controllers[which]?.abort(new Error(`of ${which}`));
    controllers[1 - which]?.abort(new Error('too late'));
    expect(signal.reason).toMatchObject({ message: `of ${which}` });
  });

  it('has come when one of them had come before', () => {
    const gone = AbortSignal.abort('gone');
    expect(eitherSignal(new AbortController().signal, gone).reason).toBe('gone');
    expect(eitherSignal(gone, undefined).aborted).toBe(true);
  });
});
