import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBatchStarter } from '../../../api/batches/batch-starter.ts';
import { createBatchSweep } from '../../../api/batches/batch-sweep.ts';
import type { KeyDoc } from '../../../store/keys.ts';
import { createBatchWorld, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
let sweep: ReturnType<typeof createBatchSweep> | undefined;
let started: string[] = [];
let cancelled: string[] = [];
let announcements: string[] = [];
let woken: string[] = [];
let rounds = 0;
/** Rounds beyond these find nothing. */
let roundsThatFind = Infinity;
/** What Temporal does with a start or a cancel, besides taking it. */
let onStart: (workflowId: string) => Promise<void> = async () => undefined;
let onCancel: (workflowId: string) => Promise<void> = async () => undefined;
let onWake: (workflowId: string) => Promise<void> = async () => undefined;
const { log, lines } = keptLog();

const client = {
  withDeadline: (_: number, call: () => Promise<unknown>) => call(),
  workflow: {
    start: async (type: string, { workflowId }: { workflowId: string }) => {
      if (type === 'announceWorkflow') return void announcements.push(workflowId);
      started.push(workflowId);
      await onStart(workflowId);
      throw new WorkflowExecutionAlreadyStartedError('runs', workflowId, 'batchWorkflow');
    },
    getHandle: (workflowId: string) => ({
      cancel: async () => {
        cancelled.push(workflowId);
        await onCancel(workflowId);
      },
      signal: async () => {
        await onWake(workflowId);
        woken.push(workflowId);
      },
    }),
  },
} as unknown as Client;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.release());
beforeEach(async () => {
  await database.db.dropDatabase();
  world = await createBatchWorld(database);
  [started, cancelled, announcements, woken] = [[], [], [], []];
  rounds = 0;
  roundsThatFind = Infinity;
  onStart = async () => undefined;
  onCancel = async () => undefined;
  onWake = async () => undefined;
  lines.splice(0);
});
afterEach(() => sweep?.stopSweep());

const startSweep = (): void => {
  sweep = createBatchSweep({
    ...world,
    ...createBatchStarter({ client, searchable: false }),
    batches: {
      ...world.batches,
      listInStates: (...given) => {
        if (given[3] === null) rounds += 1;
        if (rounds > roundsThatFind) return Promise.resolve([]);
        return world.batches.listInStates(...given);
      },
    },
    log,
    everyMs: 5,
  });
  sweep.startSweep();
};
/** A round that began after this moment is over. */
const oneRound = async (): Promise<void> => {
  const seen = rounds;
  await expect.poll(() => rounds).toBeGreaterThan(seen + 1);
};
const putLost = async (count: number): Promise<string[]> => {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    world.clock.advance(1);
    ids.push((await world.putBatch('file-x', { status: 'in_progress' }))._id);
  }
  world.clock.advance(60_000);
  return ids;
};

describe('the sweep of lost batches', () => {
  it('starts each batch that is not over, however many older ones run, and cancels those that should be', async () => {
    const expected: string[] = [];
    for (let index = 0; index < 230; index += 1) {
      // Many of one moment, so that a page ends between them.
      if (index % 150 === 0) world.clock.advance(1);
      expected.push((await world.putBatch('file-x', { status: index === 229 ? 'cancelling' : 'in_progress' }))._id);
    }
    await world.putBatch('file-x', { status: 'completed' });
    world.clock.advance(60_000);
    const young = await world.putBatch('file-x');

    roundsThatFind = 1;
    startSweep();
    await oneRound();
    expect(started.toSorted()).toEqual(expected.toSorted());
    expect(started).not.toContain(young._id);
    expect(cancelled).toEqual([expected[229]]);
  });

  it('goes on behind batches whose start or cancel fails, says which they are, and tries them again', async () => {
    const [first = '', second = '', third = ''] = await putLost(3);
    await world.batches.transition(second, 'cancelling', 1);
    onStart = (id) => (id === first ? Promise.reject(new Error('no start')) : Promise.resolve());
    onCancel = () => Promise.reject(new Error('no cancel'));
    startSweep();
    await expect.poll(() => started.length).toBeGreaterThan(3);
    expect(started.slice(0, 4)).toEqual([first, second, third, first]);
    expect(cancelled[0]).toBe(second);
    for (const id of [first, second]) expect(lines.some((line) => line.includes(id))).toBe(true);
    expect(lines.join('\n')).not.toContain(third);
  });

  it('begins no round before the one before is over', async () => {
    await putLost(1);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    onStart = () => held;
    startSweep();
    await expect.poll(() => started.length).toBe(1);
    // Many pauses long.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(rounds).toBe(1);
    release();
    await oneRound();
  });

  it('begins again after a round that the database has ended', async () => {
    const [id] = await putLost(1);
    const { listInStates } = world.batches;
    let isAway = true;
    world.batches.listInStates = (...given) => (isAway ? Promise.reject(new Error('away')) : listInStates(...given));
    startSweep();
    await oneRound();
    expect(started).toEqual([]);
    isAway = false;
    await expect.poll(() => started).toContain(id);
  });

  it('stops after the batch that it is at', async () => {
    const [first] = await putLost(3);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    onStart = () => held;
    startSweep();
    await expect.poll(() => started.length).toBe(1);
    const stopped = sweep?.stopSweep();
    release();
    await stopped;
    expect(started).toEqual([first]);
  });
});

describe('the sweep of batches that are to run another way', () => {
  it('tells the workflow that does not know yet, until it has been told, and once', async () => {
    const [paused = '', limited = '', told = '', unchanged = ''] = await putLost(4);
    await world.batchControl.change(paused, { paused: true });
    await world.batchSpend.setMax(limited, 1_000_000);
    const { controlChanges = 0 } = (await world.batchControl.change(told, { priority: 'high' })) ?? {};
    await world.batchControl.markTold(told, controlChanges);
    let isAway = true;
    onWake = (id) => (isAway && id === limited ? Promise.reject(new Error('no signal')) : Promise.resolve());
    startSweep();
    await oneRound();
    expect(woken).toEqual([paused]);
    expect(lines.some((line) => line.includes(limited))).toBe(true);
    isAway = false;
    await oneRound();
    expect(woken).toEqual([paused, limited]);
    expect(await world.read(unchanged)).not.toHaveProperty('controlTold');
  });

  it('tells once more of a change that came while the workflow was told of the one before', async () => {
    const [id = ''] = await putLost(1);
    await world.batchControl.change(id, { paused: true });
    onWake = async () => {
      onWake = async () => undefined;
      await world.batchControl.change(id, { paused: false });
    };
    startSweep();
    await expect.poll(() => woken).toEqual([id, id]);
    await oneRound();
    expect(woken).toEqual([id, id]);
  });

  it('cancels those that end, and tells them nothing else', async () => {
    const [id = ''] = await putLost(1);
    await world.batchControl.change(id, { paused: true });
    await world.batches.transition(id, 'cancelling', 1);
    startSweep();
    await oneRound();
    expect(cancelled).toContain(id);
    expect(woken).toEqual([]);
  });
});

describe('the sweep of ends that nobody has announced', () => {
  it('has those announced that are due for a while, and runs none of them again', async () => {
    const put = async (): Promise<string> => {
      const { _id } = await world.putBatch('file-x', { status: 'in_progress' });
      await world.batches.transition(_id, 'expired', world.clock.now());
      return _id;
    };
    const [lost, told] = [await put(), await put()];
    await world.batchAnnouncements.markAnnounced(told);
    await world.putBatch('file-x', { status: 'completed', completedAt: world.clock.now() });
    world.clock.advance(60_000);
    const young = await put();
    roundsThatFind = 1;
    startSweep();
    await oneRound();
    expect(announcements).toContain(`${lost}/announce`);
    expect(announcements).not.toContain(`${told}/announce`);
    expect(announcements).not.toContain(`${young}/announce`);
    expect(started).toEqual([]);
  });

  it('goes on when the batches that run can’t be read', async () => {
    const { _id } = await world.putBatch('file-x', { status: 'validating' });
    await world.batches.transition(_id, 'failed', world.clock.now());
    world.clock.advance(60_000);
    world.batches.listInStates = () => Promise.reject(new Error('away'));
    startSweep();
    await expect.poll(() => announcements).toContain(`${_id}/announce`);
  });
});

describe('the sweep of batches of revoked keys', () => {
  const putKey = (keyId: string, given: Partial<KeyDoc>): Promise<void> =>
    world.keys.insert({
      _id: `hash of ${keyId}`,
      keyId,
      name: keyId,
      admin: false,
      planLanes: false,
      createdAt: 1,
      revokedAt: 2,
      ...given,
    });

  it('cancels what was left or let in, and nothing of a key whose batches finish', async () => {
    await putKey('key_leaked', { revokedBatches: 'cancel' });
    await putKey('key_retired', { revokedBatches: 'finish' });
    await putKey('key_early', {});
    await putKey('key_live', { revokedAt: null });
    const put = async (ownerId: string): Promise<string> =>
      (await world.putBatch('file-x', { status: 'in_progress', ownerId }))._id;
    const leaked = await put('key_leaked');
    const others = [await put('key_retired'), await put('key_early'), await put('key_live')];
    const begun = await world.putBatch('file-x', { ownerId: 'key_leaked' });
    const ending = await world.putBatch('file-x', { ownerId: 'key_leaked', status: 'finalizing' });
    world.clock.advance(60_000);
    roundsThatFind = 1;
    startSweep();
    await oneRound();
    expect(cancelled.toSorted()).toEqual([leaked, begun._id].toSorted());
    // Also one whose workflow was lost comes to its end.
    expect(started).toEqual(expect.arrayContaining([leaked, begun._id]));
    for (const id of [leaked, begun._id]) expect(await world.read(id)).toMatchObject({ status: 'cancelling' });
    for (const id of others) expect(await world.read(id)).toMatchObject({ status: 'in_progress' });
    expect(await world.read(ending._id)).toMatchObject({ status: 'finalizing' });
  });
});
