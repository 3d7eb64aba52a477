import { describe, expect, it } from 'vitest';
import { decide } from '../../../core/contracts/decide.ts';
import { DRILL_SIGNALS, drilledSignal, drillFailure, type DrillSignal } from '../../../core/contracts/drill.ts';
import type { FailureClass } from '../../../core/contracts/failure.ts';

/** The class that the lane's true signal has, and what the request does after the first and after the second on one lane. */
const ROWS: Record<DrillSignal, readonly [FailureClass, 'again' | 'next' | 'fail', 'again' | 'next' | 'fail']> = {
  usage_limit: ['window_exhausted', 'next', 'next'],
  rate_limit: ['rate_limited', 'again', 'next'],
  server_error: ['broken', 'again', 'next'],
  timeout: ['broken', 'again', 'next'],
  unauthorized: ['unauthorized', 'next', 'next'],
  broken_stream: ['broken', 'again', 'next'],
  process_lost: ['process_lost', 'again', 'next'],
};

describe.each(DRILL_SIGNALS)('a drill of %s', (signal) => {
  const [failureClass, first, second] = ROWS[signal];

  it('has the class of the true signal, says that it is a drill, and has reached nobody', () => {
    const failure = drillFailure(signal, false);
    expect(failure).toMatchObject({ class: failureClass, answerStarted: false, reachedUpstream: false });
    expect(failure.reason).toBe(`drill: ${signal}`);
  });

  it('is decided on as the true signal', () => {
    const failure = drillFailure(signal, false);
    expect(decide({ failure, triesOnLane: 1, now: 0 }).act).toBe(first);
    expect(decide({ failure, triesOnLane: 2, now: 0 }).act).toBe(second);
  });

  it('ends a request whose caller takes chunks only where the stream itself breaks', () => {
    const failure = drillFailure(signal, true);
    expect(failure.answerStarted).toBe(signal === 'broken_stream');
    expect(decide({ failure, triesOnLane: 1, now: 0 }).act).toBe(signal === 'broken_stream' ? 'fail' : first);
  });
});

describe('the attempts of a drill', () => {
  it.each([
    [undefined, 'a', 1, undefined],
    [{ signal: 'timeout' as const }, 'a', 1, 'timeout'],
    [{ signal: 'timeout' as const }, 'b', 1, 'timeout'],
    [{ signal: 'timeout' as const }, 'a', 2, undefined],
    [{ signal: 'timeout' as const, laneId: 'b' }, 'a', 1, undefined],
    [{ signal: 'timeout' as const, laneId: 'b' }, 'b', 2, 'timeout'],
    [{ signal: 'timeout' as const, laneId: 'b' }, 'b', 10, 'timeout'],
    [{ signal: 'timeout' as const, laneId: 'b' }, 'b', 11, undefined],
  ])('of %j on lane %s, attempt %i: %s', (drill, laneId, attempt, expected) => {
    expect(drilledSignal(drill, laneId, attempt)).toBe(expected);
  });
});
