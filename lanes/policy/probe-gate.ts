import type { Slots } from './slots.ts';

type Acquire = Slots['acquire'];

/**
 * Lets one request through to a lane whose pause is over and that has not answered since; the others wait for what becomes
 * of it. Without the gate every request that has piled up goes to an upstream that may be as broken as before, and each of
 * them fails.
 * @param needsProbe true while the lane has been paused and nobody knows yet whether it is back
 * @param acquire the lane's slots; who waits here has one, so the order of the slots holds
 */
export function createProbeGate(needsProbe: () => boolean, acquire: Acquire): Acquire {
  /** The end of the probe that is out. */
  let probing: Promise<void> | undefined;

  return async (priority, signal) => {
    const release = await acquire(priority, signal);
    try {
      while (needsProbe()) {
        if (probing === undefined) {
          let probed: () => void = () => undefined;
          const probe = new Promise<void>((resolve) => (probed = resolve));
          probing = probe;
          return () => {
            // What the attempt says of the lane is known by now; a probe that said nothing is followed by another.
            if (probing === probe) probing = undefined;
            release();
            probed();
          };
        }
        await endOrAbort(probing, signal);
      }
    } catch (error) {
      release();
      throw error;
    }
    return release;
  };
}

/** @throws the signal's reason when it is aborted first */
async function endOrAbort(probing: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([probing, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
