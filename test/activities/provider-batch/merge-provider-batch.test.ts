import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { LineRecorder } from '../../../activities/serve/line-recorder.ts';
import { useProviderBatchWorld } from '../../support/provider-batch-world.ts';

const world = useProviderBatchWorld();

describe('a result file that breaks off', () => {
  it('ends the merge when all that was being stored is over, and leaves no rejection to nobody', async () => {
    const { run } = await world.start(['a', 'b', 'c']);
    const taken = await world.sent(run);
    let begun = 0;
    let over = 0;
    const record: LineRecorder['record'] = async () => {
      begun += 1;
      // The first fails while the file is read, the others after it has broken off.
      if (begun > 1) await sleep(50);
      over += 1;
      throw new Error('the database is away');
    };
    async function* content(fileId: string): AsyncGenerator<Uint8Array, void, undefined> {
      for await (const part of await world.lane().batches.content(fileId)) yield part;
      await sleep(10);
      throw new Error('the connection is cut');
    }
    const activities = world.activities({ recorder: { record }, api: { content: async (fileId) => content(fileId) } });
    await activities.readProviderBatch(taken);
    const toNobody = vi.fn<() => void>();
    process.on('unhandledRejection', toNobody);
    try {
      await expect(activities.mergeProviderBatch(taken)).rejects.toThrow('the connection is cut');
      expect({ begun, over }).toEqual({ begun: 3, over: 3 });
      await sleep(10);
      expect(toNobody).not.toHaveBeenCalled();
    } finally {
      process.off('unhandledRejection', toNobody);
    }
  });
});

/** @param bodies what the provider says instead, by the line */
async function merge(texts: readonly string[], bodies: Readonly<Record<number, object>>, endpoint?: '/v1/responses') {
  const { batchId, run } = await world.start(texts, { maxMicros: 10_000_000, ...(endpoint && { endpoint }) });
  const taken = await world.sent(run);
  const [held = 0] = Object.values((await world.batches().batchSpend.find(batchId)).holds);
  async function* content(fileId: string): AsyncGenerator<Uint8Array, void, undefined> {
    const parts: Uint8Array[] = [];
    for await (const part of await world.lane().batches.content(fileId)) parts.push(part);
    const lines = Buffer.concat(parts).toString().split('\n').filter(Boolean);
    for (const [index, line] of lines.entries()) {
      const said = JSON.parse(line) as { response: { body: object } };
      said.response.body = bodies[index + 1] ?? said.response.body;
      yield Buffer.from(`${JSON.stringify(said)}\n`);
    }
  }
  const activities = world.activities({ api: { content: async (fileId) => content(fileId) } });
  expect(await activities.readProviderBatch(taken)).toBe('completed');
  await activities.mergeProviderBatch(taken);
  const { results, ledger, batchSpend } = world.batches();
  const paid = (await ledger.listOfBatch(batchId)).reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0);
  return { outcome: (line: number) => results.find(batchId, line), spend: await batchSpend.find(batchId), held, paid };
}

describe('an answer of status 200 that is none', () => {
  it('is its caller’s fault where the error inside says so; else its line keeps its chance with a call', async () => {
    const failed = (code: string, more: object = {}): object => {
      return { object: 'response', status: 'failed', error: { code, message: 'Not so.' }, output: [], ...more };
    };
    const usage = { input_tokens: 9, output_tokens: 9, total_tokens: 18 };
    const bodies = {
      1: failed('invalid_prompt'),
      2: failed('server_error'),
      3: failed('rate_limit_exceeded'),
      4: failed('invalid_prompt', { usage }),
    };
    const { outcome, spend, held, paid } = await merge(['a', 'b', 'c', 'd', 'e'], bodies, '/v1/responses');
    expect(await outcome(1)).toMatchObject({ kind: 'failed', statusCode: 400, costMicros: 0 });
    expect(JSON.parse((await outcome(1))?.body ?? '')).toMatchObject({ error: { message: 'Not so.' } });
    expect(await outcome(2)).toBeNull();
    expect(await outcome(3)).toBeNull();
    expect(await outcome(4)).toMatchObject({ kind: 'failed', statusCode: 400, costMicros: null });
    expect(await outcome(5)).toMatchObject({ kind: 'completed' });
    // What was begun, and what nobody explains, may be billed: the lines are as long as each other, so a fifth of it all is held for each.
    expect(spend).toMatchObject({ holds: {}, paidMicros: paid + (held / 5) * 2 });
  });

  it('leaves a chat completion’s line its chance, and may be billed', async () => {
    const { outcome, spend, held, paid } = await merge(['a', 'b'], { 1: { error: { message: 'Overloaded.' } } });
    expect(await outcome(1)).toBeNull();
    expect(await outcome(2)).toMatchObject({ kind: 'completed' });
    expect(spend).toMatchObject({ holds: {}, paidMicros: paid + held / 2 });
  });
});
