import { describe, expect, it } from 'vitest';
import { shareOrder, type SharingLane } from '../../../lanes/policy/share-order.ts';

const lane = (laneId: string, given: Partial<SharingLane> = {}): SharingLane => ({
  laneId,
  weight: null,
  inFlight: 0,
  concurrency: 4,
  open: true,
  ...given,
});
const order = (lanes: readonly SharingLane[], seed = 's', sticky = false): string[] =>
  shareOrder(lanes, { seed, sticky }).map(({ laneId }) => laneId);
/** How often each lane is first over 2,000 seeds. The hash is no chance: the figures are the same on every run. */
const firsts = (lanes: readonly SharingLane[], sticky: boolean): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (let seed = 0; seed < 2_000; seed += 1) {
    const [first = ''] = order(lanes, `seed ${seed}`, sticky);
    counts[first] = (counts[first] ?? 0) + 1;
  }
  return counts;
};

describe('lanes that share without weights and without a conversation', () => {
  it.each<[string, SharingLane[], string[]]>([
    ['fewer requests under way', [lane('a', { inFlight: 1 }), lane('b')], ['b', 'a']],
    [
      'more free slots for the same requests',
      [lane('a', { inFlight: 2 }), lane('b', { inFlight: 2, concurrency: 16 })],
      ['b', 'a'],
    ],
    ['room, when the other is full', [lane('a', { inFlight: 4 }), lane('b', { inFlight: 3 })], ['b', 'a']],
    ['fewer who wait, when both are full', [lane('a', { inFlight: 9 }), lane('b', { inFlight: 5 })], ['b', 'a']],
    ['no outage, however busy it is', [lane('a', { open: false }), lane('b', { inFlight: 9 })], ['b', 'a']],
  ])('put the one first that has %s', (_, lanes, expected) => {
    for (const seed of ['one', 'two', 'three']) {
      expect(order(lanes, seed)).toEqual(expected);
      expect(order(lanes.toReversed(), seed)).toEqual(expected);
    }
  });

  it('take turns between equals by the seed alone', () => {
    const counts = firsts([lane('a'), lane('b')], false);
    expect(counts['a']).toBeGreaterThan(900);
    expect(counts['b']).toBeGreaterThan(900);
  });
});

describe('lanes that share by weight', () => {
  it.each([false, true])('are first for their part of all seeds (conversations: %s)', (sticky) => {
    const counts = firsts([lane('a', { weight: 3 }), lane('b', { weight: 1 })], sticky);
    expect((counts['a'] ?? 0) / 2_000).toBeGreaterThan(0.72);
    expect((counts['a'] ?? 0) / 2_000).toBeLessThan(0.78);
  });

  it('keep to it though one is a little busier, and give way where it is much busier or full', () => {
    const weighted = (inFlight: number): SharingLane[] => [
      lane('a', { weight: 1_000, inFlight }),
      lane('b', { weight: 1 }),
    ];
    expect(order(weighted(2))).toEqual(['a', 'b']);
    expect(order(weighted(3))).toEqual(['b', 'a']);
    expect(order([lane('a', { weight: 1_000, inFlight: 4 }), lane('b', { weight: 1, inFlight: 3 })])).toEqual([
      'b',
      'a',
    ]);
  });
});

describe('a conversation', () => {
  const three = [lane('a'), lane('b'), lane('c')];
  const conversations = Array.from({ length: 300 }, (_, index) => `conversation ${index}`);

  it('has one order, whatever the order in which the lanes are listed', () => {
    for (const seed of conversations) expect(order(three.toReversed(), seed, true)).toEqual(order(three, seed, true));
  });

  it('stays where it is when a lane leaves, unless it was that lane’s, and goes to its second one then', () => {
    for (const seed of conversations) {
      const [first, second] = order(three, seed, true);
      const left = three.filter(({ laneId }) => laneId !== 'b');
      expect(order(left, seed, true)[0]).toBe(first === 'b' ? second : first);
    }
  });

  it('passes over its lane while that is out, and comes back', () => {
    for (const seed of conversations) {
      const [first, second] = order(three, seed, true);
      const out = three.map((one) => (one.laneId === first ? { ...one, open: false } : one));
      expect(order(out, seed, true)[0]).toBe(second);
      expect(order(three, seed, true)[0]).toBe(first);
    }
  });

  it.each([
    [1, 0, true],
    [2, 0, true],
    [3, 0, false],
    [4, 2, false],
    [4, 4, true],
    [3, 1, true],
  ])('with %i of 4 slots taken on its lane and %i on the other stays: %s', (own, others, stays) => {
    for (const seed of conversations.slice(0, 20)) {
      const [first] = order([lane('a'), lane('b')], seed, true);
      const busy = ['a', 'b'].map((id) => lane(id, { inFlight: id === first ? own : others }));
      expect(order(busy, seed, true)[0] === first).toBe(stays);
    }
  });
});

describe('an order', () => {
  it('has every lane once, also where all of them are out', () => {
    expect(order([lane('a', { open: false }), lane('b', { open: false })]).toSorted()).toEqual(['a', 'b']);
    expect(order([lane('a')])).toEqual(['a']);
    expect(order([])).toEqual([]);
  });
});
