import { ActivityFailure, ApplicationFailure, CancelledFailure, RetryState, TimeoutFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { isOwnTrouble, lostAttempt } from '../../workflows/lost-attempt.ts';

const activityFailure = (cause: Error): ActivityFailure =>
  new ActivityFailure('the activity failed', 'serveRequest', '1', RetryState.MAXIMUM_ATTEMPTS_REACHED, 'worker', cause);
const timeout = (type: 'SCHEDULE_TO_START' | 'HEARTBEAT' | 'START_TO_CLOSE'): ActivityFailure =>
  activityFailure(new TimeoutFailure('too late', undefined, type));

describe('an activity that Temporal gave up', () => {
  it('is a lane without a worker when nobody took it: the upstream saw nothing', () => {
    expect(lostAttempt(timeout('SCHEDULE_TO_START'))).toMatchObject({
      class: 'lane_unavailable',
      reachedUpstream: false,
    });
  });

  it.each([
    timeout('HEARTBEAT'),
    timeout('START_TO_CLOSE'),
    activityFailure(ApplicationFailure.create({ message: 'x' })),
  ])('is a lost process when somebody did: %s', (failure) => {
    expect(lostAttempt(failure)).toMatchObject({ class: 'process_lost', reachedUpstream: true, answerStarted: false });
  });

  it.each([activityFailure(new CancelledFailure('cancelled')), new CancelledFailure('cancelled'), new Error('a bug')])(
    'is thrown on when it is no failure of an activity: %s',
    (error) => {
      expect(() => lostAttempt(error)).toThrow(error);
    },
  );
});

describe('trouble of our own', () => {
  it('is what an activity threw itself, and not what became of its worker', () => {
    expect(isOwnTrouble(activityFailure(ApplicationFailure.create({ message: 'the database is away' })))).toBe(true);
    for (const type of ['SCHEDULE_TO_START', 'HEARTBEAT', 'START_TO_CLOSE'] as const) {
      expect(isOwnTrouble(timeout(type))).toBe(false);
    }
    expect(isOwnTrouble(new Error('a bug'))).toBe(false);
  });
});
