import { ApiError } from '../errors.ts';

/** OpenAI's bounds for the life of a file: one hour to 30 days. */
const SHORTEST_LIFE_SECONDS = 3600;
const LONGEST_LIFE_SECONDS = 30 * 24 * 3600;

/**
 * Checks an `expires_after`, `output_expires_after` and the like, and gives its seconds.
 * @param name how the caller wrote the parameter, for the error.
 * @param path makes the name of a part of it: `expires_after[seconds]` in a form, `output_expires_after.seconds` in JSON.
 * @throws ApiError missing_required_parameter, invalid_type, invalid_value.
 */
export function readExpiresAfter(
  value: { readonly anchor?: unknown; readonly seconds?: unknown },
  path: (part: 'anchor' | 'seconds') => string,
): number {
  const { anchor, seconds } = value;
  for (const [part, given] of [
    ['anchor', anchor],
    ['seconds', seconds],
  ] as const) {
    if (given === undefined || given === null) {
      throw new ApiError('missing_required_parameter', `Missing required parameter: '${path(part)}'.`, {
        param: path(part),
      });
    }
  }
  if (anchor !== 'created_at') {
    throw new ApiError('invalid_value', `Invalid value for '${path('anchor')}': it must be 'created_at'.`, {
      param: path('anchor'),
    });
  }
  if (typeof seconds !== 'number' || !Number.isInteger(seconds)) {
    throw new ApiError('invalid_type', `Invalid type for '${path('seconds')}': expected an integer.`, {
      param: path('seconds'),
    });
  }
  if (seconds < SHORTEST_LIFE_SECONDS || seconds > LONGEST_LIFE_SECONDS) {
    throw new ApiError(
      'invalid_value',
      `Invalid value for '${path('seconds')}': it must be between ${SHORTEST_LIFE_SECONDS} and ${LONGEST_LIFE_SECONDS}.`,
      { param: path('seconds') },
    );
  }
  return seconds;
}
