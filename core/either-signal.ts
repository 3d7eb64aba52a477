/**
 * A signal that is aborted with the first of the two, and with its reason. By hand: Node 20 collects a time-out that only
 * AbortSignal.any knows of as garbage, and then it never comes.
 */
export function eitherSignal(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  if (other === undefined) return one;
  const controller = new AbortController();
  for (const signal of [one, other]) {
    const abort = (): void => controller.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  }
  return controller.signal;
}
