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
