import type { CliIo } from '../../cli/cli-io.ts';

/** A terminal at which nobody is, with nothing in its environment. */
export const SILENT_IO: CliIo = {
  out: () => {},
  err: () => {},
  live: null,
  confirm: async () => null,
  readSecret: async () => '',
  readEnvironment: () => undefined,
  interrupted: new AbortController().signal,
  now: () => 0,
  sleep: async () => {},
};
