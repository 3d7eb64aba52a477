import { describe, expect, it } from 'vitest';
import type { FailureClass } from '../../../core/contracts/failure.ts';
import { isLasting, tellingFailure } from '../../../core/contracts/telling-failure.ts';
import { FAILURE_CLASSES } from '../../support/planted.ts';

const told = (...classes: FailureClass[]): FailureClass | undefined =>
  tellingFailure(classes, (failureClass) => failureClass);

describe('what the caller is told of several failures', () => {
  it.each(FAILURE_CLASSES.filter((failureClass) => !isLasting(failureClass)))(
    'is %s rather than what a lane can never do',
    (failureClass) => {
      expect(told(failureClass, 'unsupported')).toBe(failureClass);
      expect(told('model_unavailable', failureClass, 'unsupported')).toBe(failureClass);
    },
  );

  it('is the last one of those that time heals', () => {
    expect(told('window_exhausted', 'broken')).toBe('broken');
    expect(told('broken', 'window_exhausted', 'unsupported')).toBe('window_exhausted');
  });

  it('is a window that opens again rather than a sign-in that is refused', () => {
    expect(told('window_exhausted', 'unauthorized')).toBe('window_exhausted');
    expect(told('unauthorized', 'unsupported')).toBe('unauthorized');
  });

  it('is a spend limit rather than a sign-in, but only when nothing heals by itself', () => {
    expect(told('consent_spent', 'unauthorized')).toBe('consent_spent');
    expect(told('broken', 'consent_spent')).toBe('broken');
  });

  it('is what can’t be done only when every lane says so, a parameter before a model', () => {
    expect(told('unsupported', 'model_unavailable')).toBe('unsupported');
    expect(told('model_unavailable', 'model_unavailable')).toBe('model_unavailable');
  });

  it('is nothing when nothing failed', () => {
    expect(told()).toBeUndefined();
  });
});
