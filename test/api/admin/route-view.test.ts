import { describe, expect, it } from 'vitest';
import { checkRoute, routeSchema } from '../../../api/admin/route-view.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const lanes = ['a', 'b', 'c'].map((id) => plantLaneDoc(id));
const check =
  (...given: readonly object[]) =>
  () =>
    checkRoute('m', routeSchema.parse({ lanes: given }), lanes);

describe('the rungs of a route', () => {
  it.each([
    [[{ laneId: 'a' }, { laneId: 'b' }]],
    [
      [
        { laneId: 'a', rung: 1 },
        { laneId: 'b', rung: 1, weight: 3 },
        { laneId: 'c', rung: 7 },
      ],
    ],
    [
      [
        { laneId: 'a', model: 'x' },
        { laneId: 'a', model: 'y' },
      ],
    ],
    [
      [
        { laneId: 'a', rung: 1 },
        { laneId: 'a', rung: 2 },
      ],
    ],
  ])('%j are taken', (given) => {
    expect(check(...given)).not.toThrow();
  });

  it.each([
    [[{ laneId: 'a', rung: 1 }, { laneId: 'b' }], 'or none'],
    [
      [
        { laneId: 'a', rung: 2 },
        { laneId: 'b', rung: 1 },
      ],
      'rising order',
    ],
    [
      [
        { laneId: 'a', rung: 1 },
        { laneId: 'a', rung: 1 },
      ],
      'twice',
    ],
    [[{ laneId: 'gone', rung: 1 }], 'no lane with id'],
    [[{ laneId: 'a', rung: 0 }], 'rung'],
    [[{ laneId: 'a', weight: 1.5 }], 'weight'],
  ])('%j are refused', (given, why) => {
    expect(check(...given)).toThrow(why);
  });
});
