import { condition, defineSignal, setHandler } from '@temporalio/workflow';
import { CONTROL_CHANGED_SIGNAL } from '../core/contracts/batch-control.ts';

/** Carries nothing: the database is the truth, and whoever is woken reads it. */
export const controlChanged = defineSignal(CONTROL_CHANGED_SIGNAL);

/** What tells a workflow that its batch is to run another way from now on. */
export interface Wake {
  /** Resolves when it has come; another promise after each `take`. */
  readonly came: () => Promise<void>;
  /** True once for all that came until now. */
  readonly take: () => boolean;
  /** Waits so long, or until it comes. Milliseconds. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** Listens from now on. Once a workflow. */
export function listenForWake(): Wake {
  let hasCome = false;
  let tell: () => void = () => undefined;
  const next = (): Promise<void> => new Promise((resolve) => (tell = resolve));
  let coming = next();
  setHandler(controlChanged, () => {
    hasCome = true;
    tell();
  });
  return {
    came: () => coming,
    take() {
      if (!hasCome) return false;
      hasCome = false;
      coming = next();
      return true;
    },
    sleep: async (ms) => void (await condition(() => hasCome, ms)),
  };
}
