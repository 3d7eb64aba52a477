import { describe, expect, it } from 'vitest';
import { createAttemptLog } from './attempt-log.ts';

function started(account: string, lastUserText: string) {
  const nothing = { instructions: '', input: [], tools: undefined, text: undefined };
  return { account, transport: 'json', model: 'm', lastUserText, ...nothing } as const;
}

describe('createAttemptLog', () => {
  it('counts attempts and answers by the marker of a line', () => {
    const log = createAttemptLog({ keepBodies: true });
    log.start(started('main', 'do it id=line-7 now'))('limit', 429);
    log.start(started('second', 'do it id=line-7 now'))('answered', 200);
    log.start(started('second', 'no marker'));
    expect(log.counts()).toMatchObject({
      calls: 3,
      byOutcome: { open: 1, limit: 1, answered: 1 },
      byAccount: { main: { limit: 1 }, second: { answered: 1, open: 1 } },
      byMarker: { 'line-7': { calls: 2, answered: 1 } },
    });
    expect(log.attempts().map(({ seq, marker, outcome }) => [seq, marker, outcome])).toEqual([
      [1, 'line-7', 'limit'],
      [2, 'line-7', 'answered'],
      [3, undefined, 'open'],
    ]);
  });

  it('remembers how many calls were open at once', () => {
    const log = createAttemptLog({ keepBodies: true });
    const ends = [log.start(started('main', 'a')), log.start(started('main', 'b'))];
    for (const end of ends) end('answered', 200);
    log.start(started('main', 'c'))('answered', 200);
    expect(log.counts().mostOpen).toEqual({ main: 2 });
  });

  it('ends an attempt once', () => {
    const log = createAttemptLog({ keepBodies: true });
    const end = log.start(started('main', 'a'));
    end('answered', 200);
    end('aborted', 0);
    expect(log.counts().byOutcome).toEqual({ open: 0, answered: 1 });
  });

  it('keeps only counts where bodies are not wanted', () => {
    const log = createAttemptLog({ keepBodies: false });
    log.start(started('main', 'id=a'))('answered', 200);
    expect(log.attempts()).toEqual([]);
    expect(log.counts().byMarker).toEqual({ a: { calls: 1, answered: 1 } });
  });

  it('leaves out of the counts what was open before a reset', () => {
    const log = createAttemptLog({ keepBodies: true });
    const end = log.start(started('main', 'a'));
    log.reset();
    const next = log.start(started('main', 'b'));
    end('answered', 200);
    expect(log.counts()).toMatchObject({ calls: 1, byOutcome: { open: 1 } });
    next('answered', 200);
    expect(log.attempts()).toMatchObject([{ seq: 1, lastUserText: 'b', outcome: 'answered' }]);
  });
});
