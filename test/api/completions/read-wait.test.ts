import { expect, it } from 'vitest';
import { readWait } from '../../../api/completions/read-wait.ts';
import { LONGEST_WAIT_MS } from '../../../core/contracts/timings.ts';

it.each([
  [undefined, 0],
  ['0', 0],
  ['30', 30_000],
  ['3600', LONGEST_WAIT_MS],
  ['999999999', LONGEST_WAIT_MS],
])('reads a wait of %s as %i ms', (header, waitMs) => {
  expect(readWait(header)).toBe(waitMs);
});

it.each(['', '-1', '1.5', '1e3', 'soon', '9999999999', ['1', '2']])('refuses a wait of %j', (header) => {
  expect(() => readWait(header)).toThrow(
    expect.objectContaining({ errorName: 'invalid_value', param: 'x-flatlane-wait' }) as Error,
  );
});
