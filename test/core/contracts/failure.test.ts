import { expect, it } from 'vitest';
import { isCostUnknown, type AttemptFailure } from '../../../core/contracts/failure.ts';
import { plantFailure } from '../../support/planted.ts';

it.each<[string, 'plan' | 'key', AttemptFailure, boolean]>([
  ['is cut off on a metered lane', 'key', plantFailure('broken'), true],
  ['is cut off in the middle of its answer', 'key', plantFailure('broken', { upstreamStatus: 200 }), true],
  ['loses its process there', 'key', plantFailure('process_lost'), true],
  ['is left by its caller there', 'key', plantFailure('cancelled'), true],
  ['is answered with an error', 'key', plantFailure('broken', { upstreamStatus: 500 }), false],
  ['is refused', 'key', plantFailure('caller_fault', { upstreamStatus: 400 }), false],
  [
    'is refused in the middle of its answer',
    'key',
    plantFailure('caller_fault', { upstreamStatus: 200, mayBeBilled: true }),
    true,
  ],
  ['was lost before no worker took it', 'key', plantFailure('lane_unavailable', { mayBeBilled: true }), true],
  ['never got there', 'key', plantFailure('broken', { reachedUpstream: false }), false],
  ['is on a plan, which is paid anyway', 'plan', plantFailure('broken'), false],
])('what an attempt costs that %s on a %s lane', (_, kind, failure, unknown) => {
  expect(isCostUnknown(kind, failure)).toBe(unknown);
});
