import { afterAll, describe, expect, it } from 'vitest';
import { createEndProviderRun } from '../../../activities/provider-batch/end-provider-run.ts';
import { LIST_LAGS_MS, type ProviderBatchTry } from '../../../core/contracts/provider-batch.ts';
import { providerHold, providerMarker } from '../../../core/contracts/provider-run.ts';
import { result } from '../../support/batch-world.ts';
import { useProviderBatchWorld } from '../../support/provider-batch-world.ts';

const world = useProviderBatchWorld();
const FIRST = { number: 1, takenBackAt: 1_900_000_000_000, maxMicros: 10_000_000 };
const end = (run: ProviderBatchTry): Promise<void> => createEndProviderRun(world.batches())(run);
async function* oneLine(): AsyncGenerator<string, void, undefined> {
  yield '{"custom_id":"1"}\n';
}
const holdsOf = async ({ batchId }: ProviderBatchTry): Promise<Readonly<Record<string, number>>> =>
  (await world.batches().batchSpend.find(batchId)).holds;

describe('the runs of a batch at a provider', () => {
  it('are sent each, although the second begins at the chunk of the first', async () => {
    const { batchId, run } = await world.start(['a', 'b'], FIRST);
    const first = await world.sent(run);
    const activities = world.activities();
    expect(await activities.readProviderBatch(first)).toBe('completed');
    // One line keeps its chance: the first batch has not answered it.
    await world.batches().results.insertOnce(result(batchId, 1));
    await end(run);

    const second = await world.sent({ ...run, number: 2 });
    expect(second.providerBatchId).not.toBe(first.providerBatchId);
    expect(world.provider().batches.made()).toMatchObject([
      { metadata: { flatlane_part: `${batchId}:run1:1` }, lines: 2 },
      { metadata: { flatlane_part: `${batchId}:run2:1` } },
    ]);
    await activities.readProviderBatch(second);
    await activities.mergeProviderBatch(second);
    expect(await world.batches().results.find(batchId, 2)).toMatchObject({ kind: 'completed' });
  });

  it('are not sent while another one is not over, and hold nothing then', async () => {
    const { run } = await world.start(['a'], FIRST);
    await world.sent(run);
    const activities = world.activities();
    for (const other of [
      { ...run, number: 2 },
      { ...run, takenBackAt: run.takenBackAt + 1 },
    ]) {
      const tried = { ...other, attempt: 2 };
      expect(await activities.submitProviderBatch(tried)).toMatchObject({ sent: false, why: /another run/ });
    }
    expect(Object.keys(await holdsOf(run))).toEqual([providerHold(run)]);
    expect(world.provider().batches.made()).toHaveLength(1);
  });

  it('are known to their batch before their money is held, and by what the provider calls them after', async () => {
    const { batchId, run } = await world.start(['a'], { ...FIRST, maxMicros: 1 });
    expect(await world.activities().submitProviderBatch(run)).toMatchObject({ sent: false, why: /limit/ });
    const { number, lane, model, firstChunk, endChunk, takenBackAt } = run;
    const stored = { number, lane, model, firstChunk, endChunk, takenBackAt, made: {}, isOver: false };
    expect((await world.batches().read(batchId)).providerRun).toEqual(stored);
    await end(run);

    const next = { ...run, number: 2 };
    await world.batches().batchSpend.setMax(batchId, 10_000_000);
    const { providerBatchId } = await world.sent(next);
    expect((await world.batches().read(batchId)).providerRun).toMatchObject({
      number: 2,
      made: { 1: providerBatchId },
    });
  });

  it('are found by that name, too, when the provider’s list does not reach back to them', async () => {
    const { run } = await world.start(['a'], FIRST);
    const { providerBatchId } = await world.sent(run);
    const activities = world.activities({ api: { find: async () => undefined } });
    expect(await activities.findProviderBatch(run)).toEqual({ sent: true, providerBatchId });
    expect(await activities.submitProviderBatch(run)).toEqual({ sent: true, providerBatchId });
    expect(world.provider().batches.made()).toHaveLength(1);
  });
});

describe('a batch that the provider made while nobody heard of it', () => {
  const pauses: number[] = [];
  const pause = async (milliseconds: number): Promise<void> => void pauses.push(milliseconds);
  afterAll(() => expect(new Set(pauses)).toEqual(new Set([LIST_LAGS_MS])));

  it.each(['submitProviderBatch', 'findProviderBatch'] as const)(
    'is found by %s although the provider’s list lags behind',
    async (name) => {
      const { run } = await world.start(['a'], FIRST);
      const { batches } = world.lane();
      // The connection is lost with the answer.
      const create: typeof batches.create = async (request) => {
        await batches.create(request);
        throw new Error('the connection is lost');
      };
      const lost = world.activities({ api: { create } }).submitProviderBatch(run);
      await expect(lost).rejects.toThrow('lost');
      expect(Object.keys(await holdsOf(run))).toEqual([providerHold(run)]);
      world.provider().script({ batch: { listLags: 1 } });
      const made = world.provider().batches.made();
      const found = await world.activities({ pause })[name](run);
      expect(found).toEqual({ sent: true, providerBatchId: made[0]?.id });
      expect(made).toMatchObject([{ idempotencyKey: providerMarker(run) }]);
      expect(world.provider().batches.made()).toHaveLength(1);
      expect(pauses.length).toBeGreaterThan(0);
    },
  );

  it.each([{ madeUnreadably: true }, { madeWith: 409 }, { madeWith: 503 }])(
    'counts as made and not as refused when the provider’s answer is like %j',
    async (batch) => {
      const { batchId, run } = await world.start(['a'], FIRST);
      world.provider().script({ batch });
      const activities = world.activities({ pause });
      const found = await activities.submitProviderBatch(run);
      const [made] = world.provider().batches.made();
      expect(found).toEqual({ sent: true, providerBatchId: made?.id });
      expect(Object.keys(await holdsOf(run))).toEqual([providerHold(run)]);
      expect(world.provider().batches.files()).toBe(1);
      const sent = await world.sent(run);
      expect(world.provider().batches.made()).toMatchObject([{ id: sent.providerBatchId, lines: 1 }]);
      expect(await activities.readProviderBatch(sent)).toBe('completed');
      await activities.mergeProviderBatch(sent);
      expect(await world.batches().results.find(batchId, 1)).toMatchObject({ kind: 'completed' });
      expect(world.provider().batches.files()).toBe(0);
    },
  );

  it('is that of the lines that went up first, and those that went up since are removed', async () => {
    const { run } = await world.start(['a'], FIRST);
    const { batches } = world.lane();
    const create: typeof batches.create = async (request) => {
      await batches.create({ ...request, lines: oneLine() });
      world.provider().script({ batch: { refuseWith: 409 } });
      return batches.create(request);
    };
    const activities = world.activities({ api: { create }, pause });
    expect(await activities.submitProviderBatch(run)).toEqual({ sent: true, providerBatchId: 'batch_1' });
    expect(world.provider().batches.files()).toBe(1);
    const found = await batches.find(providerMarker(run));
    for await (const line of await batches.content(found?.inputFileId ?? '')) expect(line).toBeDefined();
  });

  it('is not waited for when no money is held', async () => {
    const { run } = await world.start(['a'], FIRST);
    const before = pauses.length;
    expect(await world.activities({ pause }).findProviderBatch(run)).toMatchObject({ sent: false });
    expect(pauses).toHaveLength(before);
  });
});

describe('an answer of a provider that may have made a batch', () => {
  it('is a refusal when it is a conflict, and no batch is there after a while', async () => {
    const { run } = await world.start(['a'], FIRST);
    world.provider().script({ batch: { refuseWith: 409 } });
    const pauses: number[] = [];
    const pause = async (milliseconds: number): Promise<void> => void pauses.push(milliseconds);
    expect(await world.activities({ pause }).submitProviderBatch(run)).toMatchObject({ sent: false, why: /409/ });
    expect(pauses).toEqual([LIST_LAGS_MS]);
    expect(world.provider().batches.files()).toBe(0);
    expect(await world.batches().batchSpend.find(run.batchId)).toMatchObject({ holds: {}, paidMicros: 0 });
  });

  it.each([408, 425, 503])('leaves no lines at the provider each time when it is a %i', async (refuseWith) => {
    const { run } = await world.start(['a'], FIRST);
    world.provider().script({ batch: { refuseWith } });
    for (let delivery = 1; delivery <= 2; delivery += 1) {
      await expect(world.activities().submitProviderBatch(run)).rejects.toThrow(`answered ${refuseWith}`);
      expect(world.provider().batches.files()).toBe(0);
      expect(Object.keys(await holdsOf(run))).toEqual([providerHold(run)]);
    }
  });

  it('does not fail differently when its lines can’t be removed', async () => {
    const { run } = await world.start(['a'], FIRST);
    world.provider().script({ batch: { refuseWith: 503 } });
    const removeFile = () => Promise.reject(new Error('the connection is cut'));
    const submitted = world.activities({ api: { removeFile } }).submitProviderBatch(run);
    await expect(submitted).rejects.toThrow('answered 503');
  });
});

describe('the end of a run at a provider', () => {
  it('counts what is still held as spent, and lets the next run begin', async () => {
    const { batchId, run } = await world.start(['a'], FIRST);
    await world.sent(run);
    const [held = 0] = Object.values(await holdsOf(run));
    await world.batches().batchSpend.hold(batchId, 'of-a-group', 5);
    await end(run);
    await end(run);
    const spend = { holds: { 'of-a-group': 5 }, paidMicros: held, roomMicros: 10_000_000 - held - 5 };
    expect(held).toBeGreaterThan(0);
    expect(await world.batches().batchSpend.find(batchId)).toMatchObject(spend);
    expect((await world.batches().read(batchId)).providerRun).toMatchObject({ number: 1, isOver: true });
  });

  it('leaves alone a run that has another one in its place', async () => {
    const { batchId, run } = await world.start(['a'], FIRST);
    await world.sent(run);
    await end({ ...run, number: 2 });
    await end({ ...run, endChunk: 7 });
    expect((await world.batches().read(batchId)).providerRun).toMatchObject({ number: 1, isOver: false });
    expect(Object.keys(await holdsOf(run))).toHaveLength(1);
  });
});
