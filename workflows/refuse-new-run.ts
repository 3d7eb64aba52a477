import { CancellationScope, CancelledFailure, patched } from '@temporalio/workflow';

/** Runs that were cancelled at that moment before it was there have gone on in a new one. */
const REFUSES_NEW_RUN = 'no-new-run-when-cancelled';

/**
 * To be called before a workflow goes on in a new run: a cancellation that came together with what led there would be lost, for the new
 * run does not inherit it.
 * @throws CancelledFailure when this one is cancelled
 */
export function refuseNewRunWhenCancelled(): void {
  // A scope within others hears of it some microtasks after them.
  for (let scope: CancellationScope | undefined = CancellationScope.current(); scope; scope = scope.parent) {
    if (scope.consideredCancelled && patched(REFUSES_NEW_RUN)) throw new CancelledFailure('cancelled before a new run');
  }
}
