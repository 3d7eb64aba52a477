import { describe, expect, it } from 'vitest';
import { MAX_BATCH_LINES, scanBatchInput, type ScanResult } from '../../../activities/batch/scan-input.ts';
import { row } from '../../support/batch-world.ts';

async function* linesOf(count: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let number = 1; number <= count; number++) yield Buffer.from(`${row(`id-${number}`)}\n`);
}

/** With the limits as they are in production. */
const scan = (count: number): Promise<ScanResult> =>
  scanBatchInput(linesOf(count), {
    endpoint: '/v1/chat/completions',
    isModelServed: async () => true,
    onChunk: async () => undefined,
  });

describe('the limit of a batch', () => {
  it('is 50,000 lines, each of which is taken', async () => {
    expect(MAX_BATCH_LINES).toBe(50_000);
    expect(await scan(MAX_BATCH_LINES)).toMatchObject({ lines: MAX_BATCH_LINES, errors: [] });
  });

  it('refuses the file with one error of no line when there is one more', async () => {
    expect((await scan(MAX_BATCH_LINES + 1)).errors).toEqual([
      {
        code: 'invalid_request',
        param: 'input_file_id',
        line: null,
        message: 'The input file has more than 50000 lines.',
      },
    ]);
  });
});
