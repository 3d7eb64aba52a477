import { LONGEST_WAIT_MS } from '../../core/contracts/timings.ts';
import { ApiError } from '../../core/errors.ts';

/**
 * Reads `x-flatlane-wait`: how long a request waits for a lane while every lane is out. Longer than an hour is an hour.
 * @returns milliseconds; 0 where the header is not there
 * @throws ApiError invalid_value for anything but whole seconds
 */
export function readWait(header: string | readonly string[] | undefined): number {
  if (header === undefined) return 0;
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) {
    throw new ApiError('invalid_value', "'x-flatlane-wait' must be whole seconds; more than 3600 count as 3600.", {
      param: 'x-flatlane-wait',
    });
  }
  return Math.min(Number(header) * 1_000, LONGEST_WAIT_MS);
}
