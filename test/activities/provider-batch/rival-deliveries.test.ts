import { describe, expect, it } from 'vitest';
import { createEndProviderRun } from '../../../activities/provider-batch/end-provider-run.ts';
import type { ProviderBatchTry, SubmittedBatch } from '../../../core/contracts/provider-batch.ts';
import { providerHold } from '../../../core/contracts/provider-run.ts';
import { ProviderRefusalError, type ProviderBatches } from '../../../lanes/openai/provider-batches.ts';
import { useProviderBatchWorld } from '../../support/provider-batch-world.ts';

const world = useProviderBatchWorld();
const FIRST = { number: 1, takenBackAt: 1_900_000_000_000, maxMicros: 10_000_000 };
const spendOf = ({ batchId }: ProviderBatchTry) => world.batches().batchSpend.find(batchId);

interface Hanging {
  readonly ends: Promise<SubmittedBatch>;
  readonly goOn: (create: ProviderBatches['create']) => void;
}

/** A delivery that has set its money aside and hangs from then on, until it is told how it goes on. */
function hanging(run: ProviderBatchTry, api: Partial<ProviderBatches> = {}): Promise<Hanging> {
  return new Promise((hangs) => {
    const create: ProviderBatches['create'] = (request) =>
      new Promise((resolve) => hangs({ ends, goOn: (real) => resolve(real(request)) }));
    const ends = world.activities({ api: { ...api, create } }).submitProviderBatch(run);
  });
}

describe('the money of a try that has two deliveries at a time', () => {
  it('stays held for the second one when the first ends after it, with nothing sent', async () => {
    const { batchId, run } = await world.start(['a', 'b'], FIRST);
    const first = await hanging(run);
    const sent = await world.sent(run);
    first.goOn(() => Promise.reject(new Error('the upload is cut')));
    await expect(first.ends).rejects.toThrow('cut');
    expect(Object.keys((await spendOf(run)).holds)).toEqual([providerHold(run)]);

    const activities = world.activities();
    expect(await activities.readProviderBatch(sent)).toBe('completed');
    await activities.mergeProviderBatch(sent);
    const ledger = await world.batches().ledger.listOfBatch(batchId);
    const paidMicros = ledger.reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0);
    expect(paidMicros).toBeGreaterThan(0);
    const roomMicros = FIRST.maxMicros - paidMicros;
    expect(await spendOf(run)).toMatchObject({ holds: {}, aliveAt: {}, paidMicros, roomMicros });
  });

  it('is held anew when the first one gives it back just as the second takes it over', async () => {
    const { run } = await world.start(['a'], FIRST);
    const first = await hanging(run);
    const { batchSpend } = world.batches();
    let renewals = 0;
    const renew: typeof batchSpend.renew = async (...given) => {
      renewals += 1;
      first.goOn(() => Promise.reject(new Error('the upload is cut')));
      await expect(first.ends).rejects.toThrow('cut');
      return batchSpend.renew(...given);
    };
    const second = world.activities({ spend: { ...batchSpend, renew } });
    expect(await second.submitProviderBatch(run)).toMatchObject({ sent: true });
    expect(renewals).toBe(1);
    expect(Object.keys((await spendOf(run)).holds)).toEqual([providerHold(run)]);
  });
});

describe('a try that has two deliveries at a time', () => {
  const statusesOf = async (): Promise<unknown[]> =>
    Promise.all(
      world
        .provider()
        .batches.made()
        .map(async ({ id }) => (await world.lane().batches.read(id)).status),
    );
  const noted = async ({ batchId }: ProviderBatchTry): Promise<unknown> =>
    (await world.batches().read(batchId)).providerRun?.made;

  it('has one batch at the provider in the end: the one that was noted first', async () => {
    world.provider().script({ batch: { polls: 99 } });
    const { run } = await world.start(['a'], FIRST);
    const { batches } = world.lane();
    // Both have looked whether there is one, and ask for theirs.
    const first = await hanging(run);
    const { providerBatchId } = await world.sent(run);
    first.goOn((request) => batches.create({ ...request, onUploaded: () => undefined }));
    expect(await first.ends).toEqual({ sent: true, providerBatchId });
    expect(await noted(run)).toEqual({ 1: providerBatchId });
    expect(world.provider().batches.files()).toBe(1);
    const { inputFileId } = await batches.read(providerBatchId);
    for await (const line of await batches.content(inputFileId)) expect(line).toBeDefined();
    expect(await statusesOf()).toEqual(['running', 'cancelled']);
  });

  it('has that one also when the other can’t be cancelled', async () => {
    const { run } = await world.start(['a'], FIRST);
    const { batches } = world.lane();
    const cancel = () => Promise.reject(new ProviderRefusalError('a batch was cancelled', 429));
    const first = await hanging(run, { cancel });
    const { providerBatchId } = await world.sent(run);
    first.goOn((request) => batches.create({ ...request, onUploaded: () => undefined }));
    expect(await first.ends).toEqual({ sent: true, providerBatchId });
    expect(Object.keys((await spendOf(run)).holds)).toEqual([providerHold(run)]);
    // The other one may go on, and needs its lines.
    expect(world.provider().batches.files()).toBe(2);
  });

  it('has that one also when the lines of the other can’t be removed', async () => {
    const { run } = await world.start(['a'], FIRST);
    const { batches } = world.lane();
    const first = await hanging(run, { removeFile: () => Promise.reject(new Error('the connection is cut')) });
    const { providerBatchId } = await world.sent(run);
    first.goOn((request) => batches.create({ ...request, onUploaded: () => undefined }));
    expect(await first.ends).toEqual({ sent: true, providerBatchId });
  });

  it('asks for no second batch when the first is noted while lines go up', async () => {
    const { run } = await world.start(['a'], FIRST);
    const first = await hanging(run);
    const { providerBatchId } = await world.sent(run);
    first.goOn((request) => world.lane().batches.create(request));
    expect(await first.ends).toEqual({ sent: true, providerBatchId });
    expect(world.provider().batches.made()).toHaveLength(1);
    expect(world.provider().batches.files()).toBe(1);
    expect(Object.keys((await spendOf(run)).holds)).toEqual([providerHold(run)]);
  });
});

describe('a delivery that is late', () => {
  const end = (run: ProviderBatchTry): Promise<void> => createEndProviderRun(world.batches())(run);
  const over = { sent: false, why: 'it is over, or another run of the batch is not' };

  it('makes no batch when its run has ended while lines went up', async () => {
    const { run } = await world.start(['a'], FIRST);
    const late = await hanging(run);
    await end(run);
    late.goOn((request) => world.lane().batches.create(request));
    expect(await late.ends).toEqual(over);
    expect(world.provider().batches.made()).toEqual([]);
    expect(world.provider().batches.files()).toBe(0);
  });

  it.each([false, true])(
    'has its batch cancelled when its run ends while that is made; another run has begun: %s',
    async (isNext) => {
      world.provider().script({ batch: { polls: 99 } });
      const { run } = await world.start(['a'], FIRST);
      const { batches } = world.lane();
      const create: typeof batches.create = async (request) => {
        const made = await batches.create(request);
        await end(run);
        if (isNext) await world.sent({ ...run, number: 2 });
        return made;
      };
      const late = await world.activities({ api: { create } }).submitProviderBatch(run);
      expect(late).toEqual({ sent: true, providerBatchId: 'batch_1' });
      expect((await batches.read('batch_1')).status).toBe('cancelled');
      expect(world.provider().batches.files()).toBe(isNext ? 1 : 0);
      expect((await world.batches().read(run.batchId)).providerRun?.made).toEqual(isNext ? { 1: 'batch_2' } : {});
      if (isNext) expect((await batches.read('batch_2')).status).toBe('running');
    },
  );

  it('makes none beside that of the next run', async () => {
    const { run } = await world.start(['a'], FIRST);
    const late = await hanging(run);
    await end(run);
    const next = { ...run, number: 2 };
    await world.sent(next);
    late.goOn((request) => world.lane().batches.create(request));
    expect(await late.ends).toEqual(over);
    expect(world.provider().batches.made()).toHaveLength(1);
    expect(Object.keys((await spendOf(run)).holds)).toEqual([providerHold(next)]);
  });

  it('keeps no money when its run has ended just before it was set aside', async () => {
    const { run } = await world.start(['a'], FIRST);
    const { batchSpend } = world.batches();
    const hold: typeof batchSpend.hold = async (...given) => {
      await end(run);
      return batchSpend.hold(...given);
    };
    const late = world.activities({ spend: { ...batchSpend, hold } });
    expect(await late.submitProviderBatch(run)).toEqual(over);
    expect(world.provider().batches.made()).toEqual([]);
    expect(await spendOf(run)).toMatchObject({ holds: {}, paidMicros: 0, roomMicros: FIRST.maxMicros });
  });
});

describe('the money of a try while the database is away for a moment', () => {
  it.each(['hold', 'giveBack'] as const)(
    'comes back in full from a refusal when the answer to %s is lost',
    async (name) => {
      const { run } = await world.start(['a'], FIRST);
      const { batchSpend } = world.batches();
      let calls = 0;
      const losing = async (...given: [string, string, number, number]): Promise<boolean> => {
        const answer = await batchSpend[name](...given);
        calls += 1;
        if (calls === 1) throw new Error('the answer is lost');
        return answer;
      };
      world.provider().script({ batch: { refuseWith: 403 } });
      const activities = world.activities({ spend: { ...batchSpend, [name]: losing } });
      expect(await activities.submitProviderBatch(run)).toMatchObject({ sent: false, why: /403/ });
      expect(calls).toBe(2);
      expect(await spendOf(run)).toMatchObject({ holds: {}, paidMicros: 0, roomMicros: FIRST.maxMicros });
    },
  );
});
