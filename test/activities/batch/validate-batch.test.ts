import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LINES_IN_A_CHUNK } from '../../../core/contracts/batch.ts';
import { chunkKey } from '../../../core/contracts/ids.ts';
import { scanBatchInput } from '../../../activities/batch/scan-input.ts';
import { createValidateBatch } from '../../../activities/batch/validate-batch.ts';
import { NO_USAGE } from '../../../core/token-usage.ts';
import { createBatchWorld, OWNER, row, rows, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { PATIENT } from '../../support/patience.ts';

let database: TestDatabase;
let world: BatchWorld;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
});
afterAll(() => database.release());

async function validate(content: string) {
  const file = await world.putFile(content);
  const { _id: batchId } = await world.putBatch(file._id);
  const outcome = await world.validateBatch({ batchId });
  return { batchId, outcome, batch: await world.read(batchId) };
}

describe('validation accepts', () => {
  it.each([
    ['one line', row('a'), 1],
    ['a last line break', `${row('a')}\n`, 1],
    ['a blank last line', `${row('a')}\n\n`, 1],
    ['several blank last lines with spaces', `${row('a')}\r\n  \n\r\n\t`, 1],
    ['CRLF', `${row('a')}\r\n${row('b')}\r\n`, 2],
    ['a BOM', `\uFEFF${row('a')}\n${row('b')}`, 2],
    ['ids that differ in their bytes only', `${row('\u00e9')}\n${row('e\u0301')}\n${row('É')}`, 3],
  ])('%s', async (_what, content, total) => {
    const { outcome, batch } = await validate(content);
    expect(batch.errors).toBeNull();
    expect(outcome).toEqual({ valid: true, chunks: 1 });
    expect(batch).toMatchObject({
      status: 'in_progress',
      counts: { total, completed: 0, failed: 0 },
      model: 'm',
      chunks: 1,
    });
  });

  it('several models, each asked for once, and then names none', async () => {
    world.modelsAsked.splice(0);
    const lines = Array.from({ length: 20 }, (_, index) => row(`id-${index}`, { model: `m${index % 3}` }));
    const { batch } = await validate(lines.join('\n'));
    expect(batch).toMatchObject({ status: 'in_progress', model: null });
    expect(world.modelsAsked).toEqual(['m0', 'm1', 'm2']);
  });
});

describe('validation refuses', () => {
  it.each([
    ['an empty file', '', 'empty_file', 'input_file_id', null],
    ['a file of blanks', '\uFEFF\n \r\n', 'empty_file', 'input_file_id', null],
    ['a blank line in the middle', `${row('a')}\n\n${row('b')}`, 'invalid_json_line', null, 2],
    ['a line that is no JSON', `${row('a')}\n{"x":`, 'invalid_json_line', null, 2],
    ['a duplicate', `${row('a')}\n${row('b')}\n${row('a')}`, 'duplicate_custom_id', 'custom_id', 3],
    [
      'a duplicate in escapes',
      `${row('a')}\n${row('b').replace('"b"', '"\\u0061"')}`,
      'duplicate_custom_id',
      'custom_id',
      2,
    ],
    ['an unknown model', `${row('a')}\n${row('b', { model: 'unknown' })}`, 'model_not_found', 'body.model', 2],
    ['another url', row('a', {}, { url: '/v1/embeddings' }), 'invalid_url', 'url', 1],
    ['streaming', row('a', { stream: true }), 'streaming_unsupported', 'body.stream', 1],
  ])('%s', async (_what, content, code, param, line) => {
    const { outcome, batch } = await validate(content);
    expect(outcome).toEqual({ valid: false });
    expect(batch).toMatchObject({ status: 'failed', counts: { total: 0 }, chunks: 0, inProgressAt: null });
    expect(batch.errors).toEqual([{ code, param, line, message: expect.any(String) as string }]);
  });

  it('and names every bad line', async () => {
    const { batch } = await validate(['{', row('a'), row('', {}), 'x', row('b', { model: 'unknown' })].join('\n'));
    expect(batch.errors?.map(({ line, code }) => [line, code])).toEqual([
      [1, 'invalid_json_line'],
      [3, 'missing_required_parameter'],
      [4, 'invalid_json_line'],
      [5, 'model_not_found'],
    ]);
  });

  it('and names a thousand bad lines at most', async () => {
    const { batch } = await validate('x\n'.repeat(1200));
    expect(batch.errors).toHaveLength(1000);
    expect(batch.errors?.at(-1)).toMatchObject({ line: 1000 });
  });

  it.each([
    ['that does not exist', async () => 'file-none'],
    ['of another key', async () => (await world.putFile(row('a'), { ownerId: 'key_other' }))._id],
    ['that has expired', async () => (await world.putFile(row('a'), { expiresAt: world.clock.now() }))._id],
    ['that was deleted', async () => (await world.putFile(row('a'), { deletedAt: 1 }))._id],
  ])('a file %s', async (_what, makeFile) => {
    const fileId = await makeFile();
    const { _id: batchId } = await world.putBatch(fileId);
    expect(await world.validateBatch({ batchId })).toEqual({ valid: false });
    expect((await world.read(batchId)).errors).toEqual([
      {
        code: 'invalid_request',
        param: 'file_id',
        line: null,
        message: `Cannot find file ${fileId}, or organization does not have access to it.`,
      },
    ]);
  });

  it('more lines than allowed, and lines that are too long', async () => {
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Buffer.from(rows(3) + row('x'.repeat(900)));
    }
    const options = { endpoint: '/v1/chat/completions', isModelServed: async () => true, onChunk: async () => {} };
    const tooMany = await scanBatchInput(source(), { ...options, maxLines: 3 });
    expect(tooMany.errors).toMatchObject([{ param: 'input_file_id', line: null }]);
    const tooLong = await scanBatchInput(source(), { ...options, maxLineBytes: 800 });
    expect(tooLong.errors).toMatchObject([{ code: 'invalid_request', line: 4 }]);
  });

  it('more embeddings over all lines than allowed', async () => {
    const embed = (customId: string, input: unknown): string =>
      `${JSON.stringify({ custom_id: customId, method: 'POST', url: '/v1/embeddings', body: { model: 'm', input } })}\n`;
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      yield Buffer.from(embed('a', ['1', '2']) + embed('b', '3') + embed('c', [[1], [2]]));
    }
    const options = { endpoint: '/v1/embeddings', isModelServed: async () => true, onChunk: async () => {} };
    expect((await scanBatchInput(source(), { ...options, maxEmbeddingInputs: 5 })).errors).toEqual([]);
    expect((await scanBatchInput(source(), { ...options, maxEmbeddingInputs: 4 })).errors).toMatchObject([
      { code: 'invalid_request', param: 'input_file_id', line: null },
    ]);
  });
});

describe('validation', () => {
  it('cuts the file into chunks that cover every line once, and finds them again when it runs twice', async () => {
    const count = 2 * LINES_IN_A_CHUNK + 7;
    const { batchId, outcome, batch } = await validate(rows(count));
    expect(outcome).toEqual({ valid: true, chunks: 3 });
    expect(batch.counts.total).toBe(count);
    expect(await world.validateBatch({ batchId })).toEqual(outcome);
    const lines = [];
    for (let index = 0; index < 3; index++) {
      lines.push(...(await world.chunkReader.read(batchId, index)).map(({ line, customId }) => [line, customId]));
    }
    expect(lines).toEqual(Array.from({ length: count }, (_, index) => [index + 1, `id-${index + 1}`]));
  });

  it('writes the same chunks again after a crash in the middle', async () => {
    const file = await world.putFile(rows(300));
    const { _id: batchId } = await world.putBatch(file._id);
    await world.chunks.put({
      _id: chunkKey(batchId, 0),
      batchId,
      bodyId: 'half-written',
      chunkIndex: 0,
      firstLine: 9,
      lineCount: 9,
      byteStart: 9,
      byteEnd: 9,
    });
    expect(await world.validateBatch({ batchId })).toEqual({ valid: true, chunks: 2 });
    expect(await world.chunks.find(chunkKey(batchId, 0))).toMatchObject({
      bodyId: file.bodyId,
      firstLine: 1,
      lineCount: 250,
    });
  });

  it('leaves what has come of the chunks when it is so late that the batch is long on its way', async () => {
    const file = await world.putFile(rows(600));
    const { _id: batchId } = await world.putBatch(file._id);
    let resume: () => void = () => undefined;
    const asleep = new Promise<void>((resolve) => (resume = resolve));
    let isAsleep = false;
    const late = createValidateBatch({
      ...world,
      checkIn: () => undefined,
      isModelServed: async () => {
        isAsleep = true;
        await asleep;
        return true;
      },
    })({ batchId });
    await vi.waitFor(() => expect(isAsleep).toBe(true), PATIENT);
    expect(await world.validateBatch({ batchId })).toEqual({ valid: true, chunks: 3 });
    const part = { lines: 0, bytes: 0, bodyId: null };
    const seal = { completed: part, failed: part, usage: NO_USAGE, byLane: {} };
    await world.chunks.seal(chunkKey(batchId, 0), seal);
    const tried = [{ line: 251, model: 'm', attempts: [], pauses: 0 }];
    await world.chunks.keepTried(chunkKey(batchId, 1), tried);
    const before = await Promise.all([0, 1, 2].map((index) => world.chunks.find(chunkKey(batchId, index))));
    resume();
    expect(await late).toEqual({ valid: true, chunks: 3 });
    const after = await Promise.all([0, 1, 2].map((index) => world.chunks.find(chunkKey(batchId, index))));
    expect(after).toEqual(before);
    expect(after).toMatchObject([{ seal }, { tried }, { lineCount: 100 }]);
  });

  it('closes a chunk early when its lines are large', async () => {
    const large = 'x'.repeat(1_500_000);
    const { outcome, batchId } = await validate(['a', 'b', 'c', 'd'].map((id) => row(id, { user: large })).join('\n'));
    expect(outcome).toEqual({ valid: true, chunks: 2 });
    expect(await world.chunks.find(chunkKey(batchId, 1))).toMatchObject({ firstLine: 4, lineCount: 1 });
  });

  it('does not run a batch that is over, and lets a cancelled one come to its end', async () => {
    const file = await world.putFile(row('a'));
    const failed = await world.putBatch(file._id, { status: 'failed' });
    expect(await world.validateBatch({ batchId: failed._id })).toEqual({ valid: false });
    const cancelling = await world.putBatch(file._id, { status: 'cancelling' });
    expect(await world.validateBatch({ batchId: cancelling._id })).toEqual({ valid: true, chunks: 0 });
    expect(await world.read(cancelling._id)).toMatchObject({ status: 'cancelling', inProgressAt: null });
  });

  it.each(['completed', 'expired', 'cancelled'] as const)(
    'says of a batch that ran and is %s that it is over, also when its file is gone',
    async (status) => {
      const { _id: batchId } = await world.putBatch('file-gone', { status, inProgressAt: 1, chunks: 3 });
      expect(await world.validateBatch({ batchId })).toEqual({ valid: false, over: status });
      expect(await world.read(batchId)).toMatchObject({ status, errors: null });
    },
  );

  it('throws what ends it in the middle, and leaves the batch to be validated again', async () => {
    const file = await world.putFile(row('a'));
    const { _id: batchId } = await world.putBatch(file._id);
    const push = world.progress.push.bind(world.progress);
    world.progress.push = () => {
      throw new Error('cancelled');
    };
    await expect(world.validateBatch({ batchId })).rejects.toThrow('cancelled');
    world.progress.push = push;
    expect(await world.validateBatch({ batchId })).toEqual({ valid: true, chunks: 1 });
  });

  it('reads 30 MiB and 30,000 lines without holding them', async () => {
    const filler = 'x'.repeat(900);
    async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
      for (let line = 1; line <= 30_000; line++) yield Buffer.from(`${row(`id-${line}`, { user: filler })}\n`);
    }
    const file = await world.putFile(source());
    expect(file.bytes).toBeGreaterThan(30 * 1024 * 1024);
    const { _id: batchId } = await world.putBatch(file._id);
    world.progress.splice(0);
    expect(await world.validateBatch({ batchId })).toEqual({ valid: true, chunks: 120 });
    expect(world.progress.at(-1)).toBe(file.bytes);
    expect(await world.files.findOwned(OWNER, file._id, world.clock.now())).not.toBeNull();
    const rowsOfLast = await world.chunkReader.read(batchId, 119);
    expect(rowsOfLast.at(-1)).toMatchObject({ line: 30_000, customId: 'id-30000' });
  });
});
