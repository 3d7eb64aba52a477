import { once } from 'node:events';

/** Waits for the promise. Rejects with the signal's reason when it is aborted first; leaves no listener behind. */
export async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const over = new AbortController();
  try {
    await Promise.race([promise, once(signal, 'abort', { signal: over.signal })]);
  } finally {
    over.abort();
  }
  signal.throwIfAborted();
}
