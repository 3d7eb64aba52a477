import { afterEach, describe, expect, it, vi } from 'vitest';
import type { LaneDoc } from '../../store/lanes.ts';
import type { Hosted } from '../../workers/hosted.ts';
import { createLaneHost, type RunningLaneHost } from '../../workers/lane-host.ts';
import { keptLog, plantLaneDoc } from '../support/planted.ts';
import { PATIENT } from '../support/patience.ts';

let running: RunningLaneHost | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

function setUp(docs: LaneDoc[]) {
  const events: string[] = [];
  const { log, lines } = keptLog();
  const world = {
    docs,
    failServe: false,
    failHost: false,
    claims: true,
    lost: false,
    /** What a lane that ends still has under way. */
    underWay: async (_laneId: string): Promise<void> => undefined,
  };
  const hostLane = (doc: LaneDoc): Hosted => {
    if (world.failHost) throw new Error('sealed with another key');
    events.push(`host ${doc._id}`);
    return {
      lane: { laneOf: doc._id } as unknown as Hosted['lane'],
      concurrency: doc.concurrency,
      lost: () => world.lost,
      refresh: (changed) => void events.push(`refresh ${changed._id} ${changed.state}`),
      stop: async () => void events.push(`stop ${doc._id}`),
    };
  };
  const host = createLaneHost({
    hostId: 'host_1',
    hostKeyLane: hostLane,
    hostPlanLane: async (doc) => hostLane(doc),
    serve: async (laneId, concurrency) => {
      if (world.failServe) throw new Error('Temporal is away');
      events.push(`serve ${laneId} ${concurrency} ${host.find(laneId) === undefined ? 'too early' : 'findable'}`);
      return async () => {
        await world.underWay(laneId);
        events.push(`end serving ${laneId}`);
      };
    },
    log,
    lanes: {
      list: async () => world.docs,
      claimHost: async (laneId: string, hostId: string) => {
        events.push(`claim ${laneId} ${hostId}`);
        return world.claims;
      },
    } as unknown as Parameters<typeof createLaneHost>[0]['lanes'],
  });
  running = host;
  return { host, world, events, lines };
}

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, PATIENT);

describe('the lane host', () => {
  it('hosts what there is before it has started, findable before its first task', async () => {
    const { host, events } = setUp([plantLaneDoc('k', { concurrency: 7 })]);
    await host.start();
    expect(events).toEqual(['host k', 'serve k 7 findable']);
    expect(host.find('k')).toEqual({ laneOf: 'k' });
    expect(host.find('x')).toBeUndefined();
  });

  it('takes in a new lane, a changed one and a removed one while it runs', async () => {
    const { host, world, events } = setUp([]);
    await host.start();
    world.docs = [plantLaneDoc('k')];
    await eventually(() => expect(host.find('k')).toBeDefined());
    world.docs = [plantLaneDoc('k', { state: 'off' })];
    await eventually(() => expect(events).toContain('refresh k off'));
    world.docs = [];
    await eventually(() => expect(events.slice(-2)).toEqual(['end serving k', 'stop k']));
    expect(host.find('k')).toBeUndefined();
  });

  it('hosts accounts of this machine and those that it can claim, and leaves the others', async () => {
    const { host, events } = setUp([
      plantLaneDoc('mine', { kind: 'plan', hostId: 'host_1' }),
      plantLaneDoc('theirs', { kind: 'plan', hostId: 'host_2' }),
      plantLaneDoc('free', { kind: 'plan' }),
    ]);
    await host.start();
    expect(events.filter((event) => event.startsWith('host'))).toEqual(['host mine', 'host free']);
    expect(events).toContain('claim free host_1');
    expect(events).not.toContain('claim theirs host_1');
  });

  it('does not host an account that another machine claimed first', async () => {
    const { host, world } = setUp([plantLaneDoc('free', { kind: 'plan' })]);
    world.claims = false;
    await host.start();
    expect(host.find('free')).toBeUndefined();
  });

  it('stops what it began when the lane’s tasks can’t be taken, and tries again', async () => {
    const { host, world, events } = setUp([plantLaneDoc('k')]);
    world.failServe = true;
    await host.start();
    expect(events).toEqual(['host k', 'stop k']);
    expect(host.find('k')).toBeUndefined();
    world.failServe = false;
    await eventually(() => expect(events.at(-1)).toBe('serve k 4 findable'));
    const begun = events.filter((event) => event === 'host k').length;
    expect(events.filter((event) => event === 'stop k')).toHaveLength(begun - 1);
  });

  it('hosts the other lanes when one can’t be hosted, and says so once', async () => {
    const { host, world, events, lines } = setUp([]);
    await host.start();
    world.failHost = true;
    world.docs = [plantLaneDoc('broken')];
    await eventually(() => expect(lines.join('')).toContain('could not be hosted'));
    world.failHost = false;
    world.docs = [plantLaneDoc('fine')];
    await eventually(() => expect(events).toContain('serve fine 4 findable'));
    world.failHost = true;
    world.docs = [...world.docs, plantLaneDoc('broken')];
    await eventually(() =>
      expect(events.filter((event) => event.startsWith('refresh fine')).length).toBeGreaterThan(2),
    );
    expect(lines.filter((line) => line.includes('could not be hosted'))).toHaveLength(1);
  });

  it('begins a lane anew that may not go on as it is', async () => {
    const { host, world, events } = setUp([plantLaneDoc('k')]);
    await host.start();
    world.lost = true;
    await eventually(() => expect(events).toContain('stop k'));
    world.lost = false;
    await eventually(() => expect(events.slice(-1)[0]).toBe('refresh k ready'));
    expect(events.slice(0, 6)).toEqual([
      'host k',
      'serve k 4 findable',
      'end serving k',
      'stop k',
      'host k',
      'serve k 4 findable',
    ]);
  });

  it('goes on looking after the others while a lane ends, and begins that one anew only afterwards', async () => {
    const { host, world, events } = setUp([plantLaneDoc('slow'), plantLaneDoc('other')]);
    await host.start();
    let finish: () => void = () => undefined;
    world.underWay = (laneId) =>
      laneId === 'slow'
        ? new Promise((resolve) => {
            finish = resolve;
          })
        : Promise.resolve();
    world.docs = [plantLaneDoc('other', { state: 'off' }), plantLaneDoc('new')];
    await eventually(() => expect(events).toContain('refresh other off'));
    await eventually(() => expect(host.find('new')).toBeDefined());
    expect(host.find('slow')).toBeUndefined();
    // It is back while its end is under way.
    world.docs = [...world.docs, plantLaneDoc('slow')];
    const looks = events.length;
    await eventually(() => expect(events.length).toBeGreaterThan(looks + 4));
    expect(events.filter((event) => event === 'host slow')).toHaveLength(1);
    world.underWay = () => Promise.resolve();
    finish();
    await eventually(() => expect(host.find('slow')).toBeDefined());
    expect(events.indexOf('stop slow')).toBeLessThan(events.lastIndexOf('host slow'));
  });

  it('waits for lanes that end when it is stopped, and says which could not be', async () => {
    const { host, world, events, lines } = setUp([plantLaneDoc('slow'), plantLaneDoc('bad')]);
    await host.start();
    let finish: () => void = () => undefined;
    world.underWay = (laneId) =>
      laneId === 'bad'
        ? Promise.reject(new Error('Temporal is away'))
        : new Promise((resolve) => {
            finish = resolve;
          });
    world.docs = [];
    await eventually(() => expect(host.find('slow')).toBeUndefined());
    let isStopped = false;
    const stopping = host.stop().then(() => (isStopped = true));
    await eventually(() => expect(events).toContain('stop bad'));
    expect(isStopped).toBe(false);
    finish();
    await stopping;
    expect(events).toContain('stop slow');
    expect(lines.filter((line) => line.includes('a lane could not be stopped'))).toHaveLength(1);
  });

  it('ends all that it hosts when it is stopped: first the tasks, then the lane', async () => {
    const { host, events } = setUp([plantLaneDoc('k')]);
    await host.start();
    await host.stop();
    expect(events.slice(-2)).toEqual(['end serving k', 'stop k']);
    expect(host.find('k')).toBeUndefined();
  });
});
