import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_CONTROL } from '../../core/contracts/batch-control.ts';
import { createBatchWorld, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

it('counts the lines without an outcome of batches of a model that run and end no later', async () => {
  const running = { status: 'in_progress', model: 'm', expiresAt: 100 } as const;
  const counts = { total: 10, completed: 3, failed: 1 };
  const own = await world.putBatch('file', { ...running, counts });
  await world.putBatch('file', { ...running, counts });
  await world.putBatch('file', { ...running, counts, expiresAt: 99 });
  for (const other of [
    { expiresAt: 101 },
    { model: 'other' },
    { model: null },
    { status: 'completed' },
    { control: { ...DEFAULT_CONTROL, paused: true } },
  ] as const) {
    await world.putBatch('file', { ...running, counts, ...other });
  }
  expect(await world.batchQueue.remainingUntil(100, 'm', own._id)).toBe(12);
  expect(await world.batchQueue.remainingUntil(100, null, own._id)).toBe(6);
  expect(await world.batchQueue.remainingUntil(98, 'm', own._id)).toBe(0);
});

it('tells what a line needs to know before it goes out', async () => {
  const { _id } = await world.putBatch('file', {});
  await world.batchSpend.setMax(_id, 5);
  expect(await world.batchControl.find(_id)).toEqual({ control: DEFAULT_CONTROL, spend: { roomMicros: 5 } });
  expect(await world.batchControl.find('batch_gone')).toBeNull();
});

it.each([
  ['in_progress', undefined],
  ['cancelling', true],
  ['finalizing', true],
  ['expired', true],
] as const)('tells a line of a batch that is %s whether that ends', async (status, isEnding) => {
  const { _id } = await world.putBatch('file', { status });
  expect((await world.batchControl.find(_id))?.isEnding).toBe(isEnding);
});
