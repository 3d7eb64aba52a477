import { expect, it } from 'vitest';
import type { AttemptRecord } from '../../../core/contracts/failure.ts';
import { costsOfFailures } from '../../../lanes/prices/costs.ts';

const attempt = (given: Partial<AttemptRecord> = {}): AttemptRecord => ({
  laneId: 'k',
  attempt: 1,
  outcome: 'broken',
  reachedUpstream: true,
  startedAt: 1,
  durationMs: 1,
  ...given,
});

it('what failed cost nothing, unless one attempt was cut off where it may have cost something', () => {
  expect(costsOfFailures([])).toEqual({ costMicros: 0, meterMicros: null });
  expect(costsOfFailures([attempt(), attempt()])).toEqual({ costMicros: 0, meterMicros: null });
  const unknown = { costMicros: null, meterMicros: null };
  expect(costsOfFailures([attempt({ costUnknown: true }), attempt()])).toEqual(unknown);
});
