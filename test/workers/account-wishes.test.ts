import { mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LaneStore } from '../../store/lanes.ts';
import { createAccountWishes } from '../../workers/account-wishes.ts';
import { createMovableClock } from '../support/movable-clock.ts';
import { plantLaneDoc, silentLog } from '../support/planted.ts';

async function setUp() {
  const events: string[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'flatlane-wishes-'));
  const clock = createMovableClock();
  const world = { inUse: 0, signOutFails: false };
  let chores: Promise<unknown> = Promise.resolve();
  const note = (event: string) => async (): Promise<void> => void events.push(event);
  const take = createAccountWishes({
    laneId: 'a',
    account: {
      signOut: async () => {
        if (world.signOutFails) throw new Error('the backend is away');
        events.push('sign out');
      },
      stop: note('stop'),
    },
    health: { change: async (to, patch) => void events.push(`${to}: ${patch?.why ?? ''}`) },
    slots: {
      get inUse() {
        return world.inUse;
      },
    },
    lanes: {
      setDrained: note('drained'),
      setLogin: async () => undefined,
      setSealedKey: async () => undefined,
      setAccount: async () => undefined,
      setWindows: async () => undefined,
      fulfilled: async (_: string, wish: string, count: number) => void events.push(`fulfilled ${wish} ${count}`),
      remove: note('lane removed'),
    } as unknown as LaneStore,
    samples: { removeOf: async () => void events.push('history removed') },
    folder,
    check: note('checked'),
    chore: (_, run) => {
      chores = chores.then(run).catch((error: unknown) => void events.push(`failed: ${(error as Error).message}`));
    },
    clock,
    log: silentLog,
  });
  const see = async (...given: Parameters<typeof plantLaneDoc>[1][]): Promise<string[]> => {
    for (const one of given) take(plantLaneDoc('a', { kind: 'plan', ...one }));
    await chores;
    return events.splice(0);
  };
  return { see, world, clock, folder };
}

describe('the wishes of an owner', () => {
  it('are fulfilled once, however often they are seen', async () => {
    const { see } = await setUp();
    expect(await see({}, { checkWish: 1 }, { checkWish: 1 })).toEqual(['checked', 'fulfilled check 1']);
    expect(await see({ checkWish: 1, checkDone: 1 }, { checkWish: 2, checkDone: 1 })).toEqual([
      'checked',
      'fulfilled check 2',
    ]);
  });

  it('are fulfilled after a restart where they were not before it', async () => {
    const { see } = await setUp();
    expect(await see({ signOutWish: 3, signOutDone: 2 })).toEqual([
      'sign out',
      'needs_login: signed out by its owner',
      'fulfilled signOut 3',
    ]);
  });

  it('are over when they failed, so that nobody waits for them, and the state stays as it is', async () => {
    const { see, world } = await setUp();
    world.signOutFails = true;
    expect(await see({ signOutWish: 1 })).toEqual(['fulfilled signOut 1', 'failed: the backend is away']);
  });

  it('drain a lane when the last request of it is over', async () => {
    const { see, world } = await setUp();
    world.inUse = 1;
    expect(await see({ hold: 'draining' })).toEqual([]);
    world.inUse = 0;
    expect(await see({ hold: 'draining' })).toEqual(['drained']);
  });

  it.each([false, true])('remove an account with its folder (signed out in vain: %s)', async (fails) => {
    const { see, world, folder } = await setUp();
    world.signOutFails = fails;
    const expected = ['stop', 'history removed', 'lane removed'];
    expect(await see({ hold: 'removing' }, { hold: 'removing' })).toEqual(fails ? expected : ['sign out', ...expected]);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });

  it('let what is under way finish before a removal, but not for ever', async () => {
    const { see, world, clock } = await setUp();
    world.inUse = 1;
    expect(await see({ hold: 'removing' })).toEqual([]);
    clock.advance(30_000);
    expect(await see({ hold: 'removing' })).toContain('lane removed');
  });
});
