import type { Shutdown } from './shutdown.ts';

/** Runs the shutdown at Ctrl-C or SIGTERM and then ends the process; a second signal ends it at once. */
export function stopOnSignals(shutdown: Shutdown): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    void shutdown.run().then(() => process.exit(0));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}
