import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CliIo } from '../../cli/cli-io.ts';
import { run } from '../../cli/run.ts';
import { NO_USAGE } from '../../core/token-usage.ts';
import { result, rows } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { SILENT_IO } from '../support/silent-io.ts';

const REFUSED = '{"error":{"message":"The prompt is too long.","code":"context_length_exceeded"}}';

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const out: string[] = [];
const err: string[] = [];
let interrupted = new AbortController();
let onOut = (): void => undefined;
beforeEach(() => {
  interrupted = new AbortController();
  onOut = () => undefined;
});

function flatlane(...args: string[]): Promise<number> {
  out.length = 0;
  err.length = 0;
  const io: CliIo = {
    ...SILENT_IO,
    out: (text) => {
      out.push(...text.split('\n'));
      onOut();
    },
    err: (line) => void err.push(line),
    interrupted: interrupted.signal,
  };
  return run(['batches', ...args, '--base-url', `${api.url}/v1`, '--api-key', api.secret], io);
}

/** A batch that is over, with three lines of which the second has no answer. */
async function completed(): Promise<string> {
  const file = await api.putFile(rows(3), { ownerId: api.ownerId });
  const { _id: batchId } = await api.putBatch(file._id, { ownerId: api.ownerId });
  await api.validateBatch({ batchId });
  const failed = { kind: 'failed', statusCode: 400, body: REFUSED } as const;
  await api.results.insertMany([1, 2, 3].map((line) => result(batchId, line, line === 2 ? failed : {})));
  await api.batches.addCounts(batchId, { completed: 2, failed: 1, duplicates: 0, usage: NO_USAGE, byLane: {} });
  await api.finalizeBatch({ batchId, reason: 'completed' });
  return batchId;
}

describe('lines that have no answer', () => {
  it('are shown with the reason of the first, and with what to do about them', async () => {
    const batchId = await completed();
    expect(await flatlane('watch', batchId)).toBe(0);
    expect(err.slice(-3)).toEqual([
      '1 of 3 lines have no answer, as id-2: context_length_exceeded: The prompt is too long.',
      `See them with: flatlane batches results ${batchId} --kind failed`,
      `Try them again with: flatlane batches retry ${batchId}`,
    ]);
    expect(await flatlane('show', batchId)).toBe(0);
    expect(out.at(-1)).toBe(`Try them again with: flatlane batches retry ${batchId}`);
  });

  it('are only counted once the results are removed', async () => {
    const batchId = await completed();
    await api.batches.markResults(batchId, 'removed');
    expect(await flatlane('watch', batchId)).toBe(0);
    expect(err.at(-1)).toBe('1 of 3 lines have no answer.');
    expect(await flatlane('show', batchId)).toBe(0);
    expect(err).toEqual([]);
    expect(out[0]).toContain('3/3  completed  1 failed');
    expect(out.at(-1)).toBe('1 of 3 lines have no answer.');
  });

  it('do not keep a command from ending at Ctrl-C', async () => {
    const batchId = await completed();
    onOut = () => interrupted.abort();
    expect(await flatlane('watch', batchId)).toBe(130);
    expect(err.at(-1)).toBe('Interrupted.');
  });
});
