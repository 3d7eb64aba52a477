import { describe, expect, it } from 'vitest';
import { placeDrill, readDrill } from '../../../api/completions/read-drill.ts';
import { ApiError } from '../../../core/errors.ts';
import { plantLane } from '../../support/planted.ts';

const MAY = { enabled: true, admin: true };
const refusal = (run: () => unknown): ApiError => {
  try {
    run();
  } catch (error) {
    if (error instanceof ApiError) return error;
  }
  throw new Error('it was not refused');
};

describe('the header of a drill', () => {
  it.each([
    ['usage_limit', { signal: 'usage_limit' }],
    ['broken_stream@home', { signal: 'broken_stream', lane: 'home' }],
    [undefined, undefined],
  ])('%s is read', (header, expected) => {
    expect(readDrill(header, MAY)).toEqual(expected);
  });

  it.each(['', 'usage', 'USAGE_LIMIT', 'usage_limit@', '@home', 'usage_limit@a@b', 'usage_limit, timeout'])(
    '%j is refused, with the signals that there are',
    (header) => {
      const error = refusal(() => readDrill(header, MAY));
      expect([error.status, error.param]).toEqual([400, 'x-flatlane-drill']);
      expect(error.message).toContain('usage_limit, rate_limit, server_error');
    },
  );

  it('is refused while drills are off, with the setting that enables them, and to keys that are no admin’s', () => {
    const off = refusal(() => readDrill('usage_limit', { enabled: false, admin: true }));
    expect([off.status, off.message]).toEqual([400, expect.stringContaining('FLATLANE_DRILLS=true')]);
    const other = refusal(() => readDrill('usage_limit', { enabled: true, admin: false }));
    expect([other.status, other.errorName]).toEqual([403, 'insufficient_permissions']);
  });

  it('says nothing of a request without it, whoever asks', () => {
    expect(readDrill(undefined, { enabled: false, admin: false })).toBeUndefined();
  });
});

describe('the place of a drill', () => {
  const lanes = [plantLane('id_1', { alias: 'home' }), plantLane('id_2', { alias: 'work' })];

  it('is a lane by alias or id, or the first attempt', () => {
    expect(placeDrill({ signal: 'timeout', lane: 'work' }, lanes)).toEqual({ signal: 'timeout', laneId: 'id_2' });
    expect(placeDrill({ signal: 'timeout', lane: 'id_1' }, lanes)).toEqual({ signal: 'timeout', laneId: 'id_1' });
    expect(placeDrill({ signal: 'timeout' }, lanes)).toEqual({ signal: 'timeout' });
    expect(placeDrill(undefined, lanes)).toBeUndefined();
  });

  it('must be one of the lanes of the request', () => {
    const error = refusal(() => placeDrill({ signal: 'timeout', lane: 'sofa' }, lanes));
    expect([error.status, error.message]).toEqual([400, expect.stringContaining('home, work')]);
  });
});
