import { describe, expect, it } from 'vitest';
import { whileKept } from '../../../api/batches/results-kept.ts';

async function* source() {
  yield 'a';
  yield 'b';
}

async function read(results?: 'removing' | 'removed'): Promise<string[]> {
  const lines: string[] = [];
  const now = results === undefined ? {} : { results };
  for await (const line of whileKept(source(), async () => ({ _id: 'batch_1', ...now }))) lines.push(line);
  return lines;
}

describe('results that are read', () => {
  it('come through whole while they are kept', async () => {
    expect(await read()).toEqual(['a', 'b']);
  });

  it('break off when they were removed meanwhile, so that a part is not taken for all', async () => {
    await expect(read('removing')).rejects.toThrow('The results of batch batch_1 are removed');
    await expect(read('removed')).rejects.toThrow('are removed');
  });
});
