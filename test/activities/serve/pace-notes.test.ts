import { describe, expect, it } from 'vitest';
import { createPaceNotes } from '../../../activities/serve/pace-notes.ts';
import { createMovableClock } from '../../support/movable-clock.ts';

describe('notes of the pace', () => {
  it('are due every five seconds, and lose no line between', () => {
    const clock = createMovableClock();
    const notes = createPaceNotes(clock);
    expect(notes.count('a', 2)).toEqual({ pace: { at: clock.now(), lines: 2 } });
    clock.advance(4_999);
    expect(notes.count('a', 3)).toEqual({});
    expect(notes.count('b', 1)).toEqual({ pace: { at: clock.now(), lines: 1 } });
    clock.advance(1);
    expect(notes.count('a', 4)).toEqual({ pace: { at: clock.now(), lines: 7 } });
  });

  it('are not due when nothing is done', () => {
    expect(createPaceNotes(createMovableClock()).count('a', 0)).toEqual({});
  });
});
