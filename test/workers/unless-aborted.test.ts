import { describe, expect, it } from 'vitest';
import { unlessAborted } from '../../workers/unless-aborted.ts';

const never = new Promise<void>(() => undefined);

describe('a wait that a signal ends', () => {
  it('ends with the promise', async () => {
    await unlessAborted(Promise.resolve(), new AbortController().signal);
  });

  it.each(['before', 'while it waits'])('ends with the reason of the signal: %s', async (when) => {
    const leaving = new AbortController();
    if (when === 'before') leaving.abort(new Error('gone'));
    const waiting = unlessAborted(never, leaving.signal);
    leaving.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
  });
});
