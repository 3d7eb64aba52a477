import { afterEach, vi } from 'vitest';

/**
 * Test files share processes, and vitest puts variables and functions back before the next test only: what the last test of a file
 * has replaced would be there still in the hooks of the next file.
 */
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});
