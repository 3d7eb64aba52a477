import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/global.ts'],
    // Real processes are started and killed: a process of its own for each file, so that none sees another's.
    pool: 'forks',
    // Two cores are the smallest machine that we measure on; much of the time tests wait for real parts.
    maxWorkers: 3,
    // Most take milliseconds. A batch that lives through a kill takes up to 45 s on a machine at half its usual speed.
    testTimeout: 120_000,
    // Temporal, MongoDB and the CLIs start in hooks.
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    // A forgotten `.only`, and a filter that finds nothing, must not look like success.
    allowOnly: false,
    passWithNoTests: false,
    restoreMocks: true,
    unstubEnvs: true,
    reporters: ['default'],
  },
});
