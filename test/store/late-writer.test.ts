import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createBatchWorld, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

const content = Buffer.alloc(700_000, 'x');
const nothingElse = () => Promise.resolve(false);
const unclaimed = () => database.db.collection<{ _id: string }>('unclaimed_bodies');
const removeOrphans = () => world.files.removeOrphans(Date.now() + 1, 10, nothingElse);

/** How much there is of bytes: pieces, and what tells of them. */
const left = async (bodyId: string): Promise<readonly number[]> => [
  await database.db.collection('bodies.chunks').countDocuments({ files_id: bodyId }),
  await database.db.collection<{ _id: string }>('bodies.files').countDocuments({ _id: bodyId }),
  await unclaimed().countDocuments({ _id: bodyId }),
];

/** Some pieces, then something else that happens, then as many again. */
async function* withPause(meanwhile: () => Promise<unknown>): AsyncGenerator<Uint8Array, void, undefined> {
  yield content;
  await meanwhile();
  yield content;
}

describe('bytes whose writer is older than what is taken for left over', () => {
  it('are refused at their end when the housekeeping has removed what there was of them', async () => {
    const writing = world.files.bytes.write('removed', withPause(removeOrphans));
    await expect(writing).rejects.toThrow('The bytes of removed were removed while they were written.');
    expect(await left('removed')).toEqual([0, 0, 0]);
  });

  it('leave no later piece either when their source breaks behind that', async () => {
    async function* breaks() {
      yield* withPause(removeOrphans);
      throw new Error('the caller is gone');
    }
    await expect(world.files.bytes.write('broken', breaks())).rejects.toThrow('the caller is gone');
    expect(await left('broken')).toEqual([0, 0, 0]);
  });

  it('are refused at their end while the housekeeping removes them', async () => {
    let goOn = (): void => undefined;
    const halted = new Promise<void>((resolve) => (goOn = resolve));
    const removal = vi.spyOn(world.files.bytes, 'remove').mockImplementationOnce(() => halted);
    let removing: Promise<number> | undefined;
    const writing = world.files.bytes.write(
      'under way',
      withPause(async () => {
        removing = removeOrphans();
        await vi.waitFor(() => expect(removal).toHaveBeenCalled());
      }),
    );
    await expect(writing).rejects.toThrow('The bytes of under way were removed while they were written.');
    goOn();
    expect(await removing).toBe(1);
    expect(await left('under way')).toEqual([0, 0, 0]);
  });

  it('stay when they come to their end just before they are removed', async () => {
    const beginsLongAgo = () => unclaimed().updateOne({ _id: 'ended' }, { $set: { writtenAt: 1 } });
    await world.files.bytes.write('ended', withPause(beginsLongAgo));
    expect(await world.files.removeOrphans(2, 10, nothingElse)).toBe(0);
    vi.spyOn(world.files.bytes, 'listUnclaimed').mockResolvedValueOnce(['ended']);
    expect(await world.files.removeOrphans(2, 10, nothingElse)).toBe(0);
    expect(await left('ended')).toEqual([6, 1, 1]);
  });
});
