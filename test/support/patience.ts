/**
 * How long `vi.waitFor` waits for what comes within a moment on an idle machine: a machine that runs other tests at the same time
 * needs many times as long, and a second more costs nothing where it does come. `expect.poll` has the same by the configuration.
 */
export const PATIENT = { timeout: 30_000, interval: 50 } as const;
