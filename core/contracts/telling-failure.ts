import type { FailureClass } from './failure.ts';

/** A lane that has failed so says the same tomorrow; every other failure may be over in a while. */
export function isLasting(failureClass: FailureClass): boolean {
  return failureClass === 'unsupported' || failureClass === 'model_unavailable';
}

/** Neither time nor another try heals these, but their owner can. */
const NEEDS_ITS_OWNER: ReadonlySet<FailureClass> = new Set<FailureClass>(['unauthorized', 'consent_spent']);

/**
 * Of what the lanes said, in their order, the one that tells the caller what to do: the last that time heals; else a
 * spend limit that its owner can raise, or a sign-in that they can renew. Only when every lane can't do what is asked is that the answer, and a lane that lacks
 * a part of it says more than one that lacks the model.
 */
export function tellingFailure<Failure>(
  failures: readonly Failure[],
  classOf: (failure: Failure) => FailureClass,
): Failure | undefined {
  const last = (is: (failureClass: FailureClass) => boolean): Failure | undefined =>
    failures.findLast((failure) => is(classOf(failure)));
  return (
    last((failureClass) => !isLasting(failureClass) && !NEEDS_ITS_OWNER.has(failureClass)) ??
    last((failureClass) => failureClass === 'consent_spent') ??
    last((failureClass) => failureClass === 'unauthorized') ??
    last((failureClass) => failureClass === 'unsupported') ??
    failures.at(-1)
  );
}
