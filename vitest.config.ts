import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Folders of tests that start and kill real processes. */
const OF_PROCESSES = /^test\/(?:acceptance|fault|integration|scripts|stack)\//;

/** A module that is loaded already can't be replaced any more, and timers that are replaced are those of a whole process. */
const REPLACES_PARTS = /\bvi\.(?:mock|doMock|useFakeTimers)\(/;

const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('test', name));
const apart = files.filter((path) => OF_PROCESSES.test(path) || REPLACES_PARTS.test(readFileSync(path, 'utf8')));

const project = {
  pool: 'forks',
  // Two cores are the smallest machine that we measure on; much of the time tests wait for real parts.
  maxWorkers: 2 * Math.max(2, availableParallelism()),
  // Most take milliseconds. A batch that lives through a kill takes up to 45 s on a machine at half its usual speed.
  testTimeout: 120_000,
  // Temporal, MongoDB and the CLIs start in hooks.
  hookTimeout: 120_000,
  teardownTimeout: 30_000,
  // As `PATIENT` of test/support/patience.ts for `vi.waitFor`.
  expect: { poll: { timeout: 30_000 } },
  restoreMocks: true,
  unstubEnvs: true,
  setupFiles: 'test/setup/leave-nothing.ts',
} as const;

export default defineConfig({
  test: {
    globalSetup: ['test/setup/global.ts'],
    // A forgotten `.only`, and a filter that finds nothing, must not look like success.
    allowOnly: false,
    passWithNoTests: false,
    reporters: ['default'],
    projects: [
      // A process of its own for each file, so that none sees another's.
      { test: { ...project, name: 'apart', include: apart } },
      // One process for many files: loading the modules takes more of the processors than these tests do.
      { test: { ...project, name: 'together', include: ['test/**/*.test.ts'], exclude: apart, isolate: false } },
    ],
  },
});
