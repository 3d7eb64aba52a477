import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBatchWorld, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const lane = { laneId: 'lane_key', kind: 'key', alias: 'meter', model: 'm', concurrency: 4 } as const;
const first = { number: 1, lane, model: 'm', firstChunk: 3, endChunk: 5, takenBackAt: 7 };
const second = { ...first, number: 2 };
const put = async (): Promise<string> => (await world.putBatch('file-1', { status: 'in_progress' }))._id;

describe('the runs of a batch at a provider', () => {
  it('follow each other: one begins when the one before is over', async () => {
    const id = await put();
    const { providerRuns } = world;
    expect(await providerRuns.begin(id, second)).toBe(false);
    expect(await providerRuns.begin(id, first)).toBe(true);
    expect(await providerRuns.begin(id, second)).toBe(false);
    await providerRuns.end(id, 1);
    expect(await providerRuns.begin(id, second)).toBe(true);
    expect((await world.read(id)).providerRun).toEqual({ ...second, made: {}, isOver: false });
  });

  it('begin once, however often that is said, and not again when they are over', async () => {
    const id = await put();
    expect(await world.providerRuns.begin(id, first)).toBe(true);
    await world.providerRuns.noteMade(id, { number: 1, attempt: 2 }, 'batch_p');
    expect(await world.providerRuns.begin(id, first)).toBe(true);
    expect(await world.providerRuns.made(id, { number: 1, attempt: 2 })).toBe('batch_p');
    await world.providerRuns.end(id, 1);
    expect(await world.providerRuns.begin(id, first)).toBe(false);
  });

  it('have one of a number, when two were planned at a time', async () => {
    const id = await put();
    const begun = await Promise.all([
      world.providerRuns.begin(id, first),
      world.providerRuns.begin(id, { ...first, firstChunk: 4 }),
      world.providerRuns.begin(id, { ...first, takenBackAt: 8 }),
    ]);
    expect(begun.filter(Boolean)).toHaveLength(1);
  });

  it('do not begin in a batch that ends', async () => {
    const { _id: id } = await world.putBatch('file-1', { status: 'cancelling' });
    expect(await world.providerRuns.begin(id, first)).toBe(false);
  });

  it('have one batch for a try: the one that was noted first', async () => {
    const id = await put();
    const { providerRuns } = world;
    await providerRuns.begin(id, first);
    const notes = ['batch_a', 'batch_b'].map((made) => providerRuns.noteMade(id, { number: 1, attempt: 1 }, made));
    const [noted, ...others] = await Promise.all(notes);
    expect(others).toEqual([noted]);
    expect(await providerRuns.made(id, { number: 1, attempt: 1 })).toBe(noted);
    expect(await providerRuns.noteMade(id, { number: 1, attempt: 2 }, 'batch_c')).toBe('batch_c');
    expect(await providerRuns.noteMade(id, { number: 2, attempt: 1 }, 'batch_d')).toBeUndefined();
  });

  it('have no batch noted any more when they are over, and keep the one that was', async () => {
    const id = await put();
    const { providerRuns } = world;
    await providerRuns.begin(id, first);
    await providerRuns.noteMade(id, { number: 1, attempt: 1 }, 'batch_a');
    await providerRuns.end(id, 1);
    expect(await providerRuns.noteMade(id, { number: 1, attempt: 1 }, 'batch_b')).toBe('batch_a');
    expect(await providerRuns.noteMade(id, { number: 1, attempt: 2 }, 'batch_c')).toBeUndefined();
  });

  it('keep what was made by their number and their try', async () => {
    const id = await put();
    await world.providerRuns.begin(id, first);
    await world.providerRuns.noteMade(id, { number: 2, attempt: 1 }, 'of another run');
    expect(await world.providerRuns.made(id, { number: 1, attempt: 1 })).toBeUndefined();
    expect(await world.providerRuns.made(id, { number: 2, attempt: 1 })).toBeUndefined();
  });
});
