import { expect, it } from 'vitest';
import { toLaneView } from '../../../api/admin/lane-view.ts';
import type { LaneHold, LaneState } from '../../../core/contracts/lane.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const NOBODY = expect.stringContaining('no worker serves it') as string;

it.each<[state: LaneState, hold: LaneHold, shown: LaneState, why: string]>([
  ['ready', 'none', 'unhealthy', NOBODY],
  ['cooling', 'none', 'unhealthy', NOBODY],
  ['unhealthy', 'none', 'unhealthy', NOBODY],
  ['signing_in', 'none', 'signing_in', NOBODY],
  ['needs_login', 'none', 'needs_login', 'as stored'],
  ['off', 'none', 'off', 'as stored'],
  ['ready', 'paused', 'off', 'paused by its owner'],
])('an account without a worker that is %s and held as %s is shown as %s', (state, hold, shown, why) => {
  const lane = plantLaneDoc('lane_1', { kind: 'plan', hostId: 'host_1', state, hold, why: 'as stored' });
  expect(toLaneView({ ...lane, silent: true })).toMatchObject({ state: shown, why });
  if (hold === 'none') expect(toLaneView({ ...lane, silent: false })).toMatchObject({ state, why: 'as stored' });
});
