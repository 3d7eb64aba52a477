import { beforeEach, describe, expect, it } from 'vitest';
import type { ProviderBatchTry } from '../../core/contracts/provider-batch.ts';
import { providerHold } from '../../core/contracts/provider-run.ts';
import { lineKey } from '../../core/contracts/ids.ts';
import type { OpenaiApi } from '../standins/openai/api.ts';
import { result, type BatchWorld } from '../support/batch-world.ts';
import { LANE, useProviderBatchWorld } from '../support/provider-batch-world.ts';

const given = useProviderBatchWorld();
let world: BatchWorld;
let provider: OpenaiApi;
beforeEach(() => {
  world = given.batches();
  provider = given.provider();
});

const sent = (run: ProviderBatchTry) => given.sent(run);
const start = (texts: readonly string[], maxMicros: number | null = null) => given.start(texts, { maxMicros });

/** @param spoil what becomes of the answers on their way */
function createActivities(spoil?: (content: string) => Promise<string>, priceShare: number | null = 0.5) {
  const content = async (fileId: string): Promise<AsyncIterable<Uint8Array>> => {
    const whole = await given.lane().batches.content(fileId);
    return spoil === undefined ? whole : spoilt(whole, spoil);
  };
  return given.activities({ api: { content }, priceShare });
}

async function* spoilt(
  content: AsyncIterable<Uint8Array>,
  spoil: (content: string) => Promise<string>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  yield Buffer.from(await spoil(Buffer.concat(parts).toString()));
}

describe("a part of a batch at the provider's Batch API", () => {
  it('comes back whole, at half the price, and is paid once however often it is taken in', async () => {
    const { batchId, run } = await start(['a', 'b', 'c'], 10_000_000);
    const activities = createActivities();
    const taken = await sent(run);
    expect(Object.keys((await world.batchSpend.find(batchId)).holds)).toHaveLength(1);
    expect(await activities.readProviderBatch(taken)).toBe('completed');
    await activities.mergeProviderBatch(taken);
    await activities.mergeProviderBatch(taken);
    const ledger = await world.ledger.listOfBatch(batchId);
    expect(ledger).toHaveLength(3);
    for (const { costMicros, meterMicros } of ledger) {
      expect(meterMicros).toBeGreaterThan(0);
      expect(costMicros).toBe(Math.round((meterMicros ?? 0) / 2));
    }
    const paid = ledger.reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0);
    const spend = { holds: {}, paidMicros: paid, roomMicros: 10_000_000 - paid };
    expect(await world.batchSpend.find(batchId)).toMatchObject(spend);
    expect(provider.batches.files()).toBe(0);
    expect(await world.results.find(batchId, 2)).toMatchObject({
      customId: 'row-2',
      kind: 'completed',
      laneId: LANE.laneId,
    });
    expect(await world.laneLog.find(lineKey(batchId, 3))).toMatchObject({ status: 'answered', laneAlias: 'meter' });
  });

  it('is found again after a crash, and not sent twice', async () => {
    const { run } = await start(['a']);
    const first = await sent(run);
    expect((await sent(run)).providerBatchId).toBe(first.providerBatchId);
    expect(provider.batches.made()).toHaveLength(1);
  });

  it('leaves out what has an outcome, and what names another model', async () => {
    const { batchId, run } = await start(['a', 'b', 'other']);
    await world.results.insertOnce(result(batchId, 1));
    await sent(run);
    expect(provider.batches.made()).toMatchObject([{ lines: 1 }]);
  });

  it('is not sent when nothing is left, when the limit is too low, and when the provider refuses', async () => {
    const { batchId, run } = await start(['a']);
    provider.script({ batch: { refuseWith: 403 } });
    expect(await createActivities().submitProviderBatch(run)).toMatchObject({ sent: false, why: /403/ });
    expect((await world.batchSpend.find(batchId)).holds).toEqual({});
    const poor = await start(['a'], 1);
    expect(await createActivities().submitProviderBatch(poor.run)).toMatchObject({ sent: false, why: /limit/ });
    await world.results.insertOnce(result(batchId, 1));
    expect(await createActivities().submitProviderBatch(run)).toMatchObject({ sent: false, why: /no line/ });
  });

  it('is not sent where a line asks for a tier of unknown price and there is a limit', async () => {
    const texts = ['a', 'priority'];
    const { run } = await start(texts, 10_000_000);
    expect(await createActivities().submitProviderBatch(run)).toMatchObject({ sent: false, why: /price/ });
    expect(await createActivities().submitProviderBatch((await start(texts)).run)).toMatchObject({ sent: true });
  });

  it('costs nobody knows what where it was served at another tier', async () => {
    const { batchId, run } = await start(['a'], 10_000_000);
    const taken = await sent(run);
    const held = Object.values((await world.batchSpend.find(batchId)).holds)[0] ?? 0;
    const activities = createActivities(async (content) =>
      content.replace('"usage"', '"service_tier":"priority","usage"'),
    );
    await activities.readProviderBatch(taken);
    await activities.mergeProviderBatch(taken);
    expect(await world.ledger.listOfBatch(batchId)).toMatchObject([{ costMicros: null, meterMicros: null }]);
    expect(await world.batchSpend.find(batchId)).toMatchObject({ holds: {}, paidMicros: held });
  });

  it('takes in a caller’s own fault, and leaves what failed otherwise its chance with a call', async () => {
    const { batchId, run } = await start(['[[status:400]]', '[[status:500]]', 'c']);
    const taken = await sent(run);
    const activities = createActivities();
    await activities.readProviderBatch(taken);
    await activities.mergeProviderBatch(taken);
    expect(await world.results.find(batchId, 1)).toMatchObject({ kind: 'failed', statusCode: 400 });
    expect(await world.results.find(batchId, 2)).toBeNull();
    expect(await world.results.find(batchId, 3)).toMatchObject({ kind: 'completed' });
  });

  it('takes in what was done before it was taken back', async () => {
    const { batchId, run } = await start(['a', 'b', 'c', 'd'], 10_000_000);
    provider.script({ batch: { polls: 99, doneBeforeCancel: 0.5 } });
    const taken = await sent(run);
    const activities = createActivities();
    expect(await activities.readProviderBatch(taken)).toBe('running');
    await activities.cancelProviderBatch(taken);
    expect(await activities.readProviderBatch(taken)).toBe('cancelled');
    await activities.mergeProviderBatch(taken);
    expect(await world.ledger.listOfBatch(batchId)).toHaveLength(2);
    expect((await world.batchSpend.find(batchId)).holds).toEqual({});
  });

  it('has failed when the provider does not know it any more', async () => {
    const { batchId, run } = await start(['a'], 10_000_000);
    const gone = { ...(await sent(run)), providerBatchId: 'batch_gone' };
    const activities = createActivities();
    expect(await activities.readProviderBatch(gone)).toBe('failed');
    await activities.mergeProviderBatch(gone);
    expect((await world.batchSpend.find(batchId)).holds).toEqual({});
  });

  it('counts with all that it may have cost when it is not over, and keeps its files', async () => {
    const { batchId, run } = await start(['a', 'b'], 10_000_000);
    provider.script({ batch: { polls: 99 } });
    const taken = await sent(run);
    const held = Object.values((await world.batchSpend.find(batchId)).holds)[0] ?? 0;
    await createActivities().mergeProviderBatch(taken);
    expect(held).toBeGreaterThan(0);
    const spend = { holds: {}, paidMicros: held, roomMicros: 10_000_000 - held };
    expect(await world.batchSpend.find(batchId)).toMatchObject(spend);
    expect(provider.batches.files()).toBe(1);
  });

  it('counts an answer of unknown usage with the most that it may have cost', async () => {
    const { batchId, run } = await start(['a', 'b'], 10_000_000);
    const taken = await sent(run);
    const held = Object.values((await world.batchSpend.find(batchId)).holds)[0] ?? 0;
    const activities = createActivities(async (content) => {
      const lines = content.split('\n').filter(Boolean);
      const [first = '', ...rest] = lines;
      return [first.replace('"usage"', '"unusual"'), ...rest].join('\n');
    });
    expect(await activities.readProviderBatch(taken)).toBe('completed');
    await activities.mergeProviderBatch(taken);
    const { paidMicros, holds } = await world.batchSpend.find(batchId);
    const known = (await world.ledger.listOfBatch(batchId)).reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0);
    expect(holds).toEqual({});
    expect(paidMicros).toBeGreaterThan(known);
    expect(paidMicros).toBeLessThanOrEqual(held);
    expect(await world.results.find(batchId, 1)).toMatchObject({ kind: 'completed', usage: null });
  });

  it('counts with all that is held when its answers can’t be read', async () => {
    const { batchId, run } = await start(['a', 'b'], 10_000_000);
    const taken = await sent(run);
    const held = Object.values((await world.batchSpend.find(batchId)).holds)[0] ?? 0;
    const activities = createActivities(async (content) => content.slice(0, -20));
    await activities.readProviderBatch(taken);
    await activities.mergeProviderBatch(taken);
    expect(await world.batchSpend.find(batchId)).toMatchObject({ holds: {}, paidMicros: held });
    expect(await world.results.find(batchId, 1)).toMatchObject({ kind: 'completed' });
    expect(await world.results.find(batchId, 2)).toBeNull();
  });

  it('is found when it was made and nobody heard of it, and is not sent by a lane whose owner wants none', async () => {
    const { run } = await start(['a']);
    const activities = createActivities(undefined, null);
    expect(await activities.submitProviderBatch(run)).toMatchObject({ sent: false, why: /does not want/ });
    expect(await activities.findProviderBatch(run)).toMatchObject({ sent: false });
    const { providerBatchId } = await sent(run);
    expect(await activities.findProviderBatch(run)).toEqual({ sent: true, providerBatchId });
  });

  it('holds nothing when its lines could not even be uploaded', async () => {
    const { batchId, run } = await start(['a'], 10_000_000);
    await provider.close();
    await expect(createActivities().submitProviderBatch(run)).rejects.toThrow();
    expect((await world.batchSpend.find(batchId)).holds).toEqual({});
  });

  it('stays held when an earlier delivery may have made it, whatever becomes of the next one', async () => {
    const { batchId, run } = await start(['a'], 10_000_000);
    const hold = providerHold(run);
    await world.batchSpend.hold(batchId, hold, 5);
    provider.script({ batch: { refuseWith: 403 } });
    expect(await createActivities().submitProviderBatch(run)).toMatchObject({ sent: false, why: /403/ });
    expect((await world.batchSpend.find(batchId)).holds).toEqual({ [hold]: 5 });
  });
});
