import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import type { Dispatcher } from 'undici';
import {
  createProviderBatches,
  type ProviderRequest,
  type ProviderUnclearError,
} from '../../../lanes/openai/provider-batches.ts';
import { createKeyLane, type KeyLane } from '../../../lanes/openai/key-lane.ts';
import { startOpenaiApi, type OpenaiApi } from '../../standins/openai/api.ts';

let provider: OpenaiApi;
let lane: KeyLane;
beforeEach(async () => {
  provider = await startOpenaiApi();
  lane = createKeyLane({
    laneId: 'lane_1',
    alias: 'key',
    baseUrl: `${provider.url}?api-version=1`,
    apiKey: provider.key,
    allowPrivateAddresses: true,
    clock: { now: () => Date.now() },
    log: createLogger('silent', 'test'),
  });
});
afterEach(async () => {
  await lane.close();
  await provider.close();
});

async function* lines(count: number): AsyncGenerator<string, void, undefined> {
  for (let line = 1; line <= count; line += 1) {
    const messages = [{ role: 'user', content: `Grüße, "Zeile" ${line}` }];
    const body = { model: 'gpt-5.5', messages };
    yield `${JSON.stringify({ custom_id: `l${line}`, method: 'POST', url: '/v1/chat/completions', body })}\n`;
  }
}

const create = (marker = 'part 1') =>
  lane.batches.create({ marker, endpoint: '/v1/chat/completions', lines: lines(3) });

async function read(fileId: string | null): Promise<string[]> {
  const parts: Uint8Array[] = [];
  for await (const part of await lane.batches.content(fileId ?? '')) parts.push(part);
  return Buffer.concat(parts).toString().split('\n').filter(Boolean);
}

describe("the provider's own Batch API", () => {
  it('takes lines, serves them and gives the answers back', async () => {
    provider.script({ batch: { polls: 2 } });
    const made = await create();
    expect(made.status).toBe('running');
    expect((await lane.batches.read(made.id)).status).toBe('running');
    const done = await lane.batches.read(made.id);
    expect(done).toMatchObject({ status: 'completed', errorFileId: null });
    const answers = (await read(done.outputFileId)).map((line) => JSON.parse(line) as { custom_id: string });
    expect(answers.map(({ custom_id }) => custom_id)).toEqual(['l1', 'l2', 'l3']);
    expect(provider.attempts()[0]?.lastUserText).toBe('Grüße, "Zeile" 1');
  });

  it('finds what was made under a marker, and nothing under another', async () => {
    const made = await create('mine');
    expect(await lane.batches.find('mine')).toMatchObject({ id: made.id });
    expect(await lane.batches.find('other')).toBeUndefined();
  });

  it('cancels, and gives what was done before', async () => {
    provider.script({ batch: { polls: 99, doneBeforeCancel: 0.34 } });
    const { id } = await create();
    await lane.batches.cancel(id);
    const over = await lane.batches.read(id);
    expect(over.status).toBe('cancelled');
    expect(await read(over.outputFileId)).toHaveLength(1);
    expect(await read(over.errorFileId)).toHaveLength(2);
  });

  it.each([400, 403, 404, 422, 429])('says what was refused with %i, and leaves no file behind', async (status) => {
    provider.script({ batch: { refuseWith: status } });
    await expect(create()).rejects.toMatchObject({ name: 'ProviderRefusalError', status });
    expect(provider.batches.files()).toBe(0);
  });

  it.each([201, 202])('has made a batch, too, when it answers with %i', async (madeWith) => {
    provider.script({ batch: { madeWith } });
    expect(await create()).toMatchObject({ id: 'batch_1', status: 'running' });
  });

  it.each([
    { madeUnreadably: true },
    { madeUnreadably: true, madeWith: 202 },
    { madeWith: 302 },
    { madeWith: 408 },
    { madeWith: 409 },
    { madeWith: 425 },
    { madeWith: 500 },
    { madeWith: 503 },
  ])('has refused nothing with an answer like %j: its batch may be made, and needs its file', async (batch) => {
    provider.script({ batch });
    const error = await create().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ProviderUnclearError', status: batch.madeWith ?? 200 });
    expect(provider.batches.files()).toBe(1);
    const { inputFileId } = error as ProviderUnclearError;
    await lane.batches.removeFile(inputFileId ?? '');
    expect(provider.batches.files()).toBe(0);
  });

  it('removes files, also those that are gone', async () => {
    const { inputFileId } = await create();
    await lane.batches.removeFile(inputFileId);
    await lane.batches.removeFile(inputFileId);
    expect(provider.batches.files()).toBe(0);
    await expect(lane.batches.content(inputFileId)).rejects.toMatchObject({ status: 404 });
  });
});

describe('taking a batch back', () => {
  it.each([
    [200, true],
    [404, true],
    [409, true],
    [302, false],
    [408, false],
    [425, false],
    [429, false],
    [503, false],
  ])('that the provider answers with %i has been heard: %s', async (statusCode, isHeard) => {
    const body = { dump: async () => undefined };
    const batches = createProviderBatches(async () => ({ statusCode, body }) as unknown as Dispatcher.ResponseData);
    const cancelled = batches.cancel('batch_1').then(
      () => true,
      () => false,
    );
    expect(await cancelled).toBe(isHeard);
  });
});

const answerOf = (said: string) => Object.assign(Readable.from([Buffer.from(said)]), { dump: async () => undefined });

/** @param said the body of each of its answers */
const saying = (said: string, statusCode = 200) =>
  createProviderBatches(async () => ({ statusCode, body: answerOf(said) }) as unknown as Dispatcher.ResponseData);

describe('a result file', () => {
  it.each([200, 201, 206])('is read when it is answered with %i', async (statusCode) => {
    const read: Uint8Array[] = [];
    for await (const bytes of await saying('{}', statusCode).content('file_1')) read.push(bytes);
    expect(Buffer.concat(read).toString()).toBe('{}');
  });
});

describe('an answer of status 200 that nobody can read', () => {
  it.each(['', '<html>', '[]', '{}', '{"error":{"message":"Later."}}'])(
    'is not taken for anything: %s',
    async (said) => {
      const unclear = { name: 'ProviderUnclearError' };
      const request = { marker: 'm', endpoint: '/v1/chat/completions', lines: lines(1) };
      await expect(saying(said).create(request)).rejects.toMatchObject(unclear);
      await expect(saying(said).read('batch_1')).rejects.toMatchObject(unclear);
      await expect(saying(said).find('m')).rejects.toMatchObject(unclear);
    },
  );

  it('is none where a list is empty in other words', async () => {
    expect(await saying('{"object":"list","data":null}').find('m')).toBeUndefined();
  });
});

describe('lines that are uploaded', () => {
  it.each([
    ['other lines', { id: 'batch_1', input_file_id: 'file_before' }, ['/files/file_new']],
    ['them', { id: 'batch_1', input_file_id: 'file_new' }, []],
    ['no lines that it names', { id: 'batch_1' }, []],
  ])(
    'are removed where the provider answers with a batch of other ones: with one of %s',
    async (_of, made, removed) => {
      const paths: string[] = [];
      const batches = createProviderBatches(async ({ method, path }) => {
        if (method === 'DELETE') paths.push(path);
        const said = JSON.stringify(path === '/files' ? { id: 'file_new' } : made);
        return { statusCode: 200, body: answerOf(said) } as unknown as Dispatcher.ResponseData;
      });
      const request = { marker: 'm', endpoint: '/v1/chat/completions', lines: lines(1) };
      expect(await batches.create(request)).toMatchObject({ id: 'batch_1' });
      expect(paths).toEqual(removed);
    },
  );

  it('make no batch, and stay nowhere, when it is not wanted any more', async () => {
    const onUploaded = (): void => {
      throw new Error('cancelled');
    };
    const made = lane.batches.create({ marker: 'm', endpoint: '/v1/chat/completions', lines: lines(1), onUploaded });
    await expect(made).rejects.toThrow('cancelled');
    expect(provider.batches.made()).toEqual([]);
    expect(provider.batches.files()).toBe(0);
  });
});

/** A provider that never answers: a request ends when its signal says so. */
const silent = ({ signal }: ProviderRequest): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));

describe('a provider that says nothing', () => {
  it.each(['find', 'read', 'cancel', 'removeFile'] as const)('is not waited for long by %s', async (call) => {
    const batches = createProviderBatches(silent, 20);
    await expect(batches[call]('batch_1')).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it.each(['find', 'read', 'cancel', 'removeFile', 'content'] as const)('is left at once by %s', async (call) => {
    const controller = new AbortController();
    const called = createProviderBatches(silent)[call]('batch_1', controller.signal);
    controller.abort(new Error('cancelled'));
    await expect(called).rejects.toThrow('cancelled');
  });

  it('is left at once when a batch is made, too', async () => {
    const controller = new AbortController();
    const made = createProviderBatches(silent).create({
      marker: 'm',
      endpoint: '/v1/chat/completions',
      lines: lines(1),
      signal: controller.signal,
    });
    controller.abort(new Error('cancelled'));
    await expect(made).rejects.toThrow('cancelled');
  });

  it('is left at once on a real connection', async () => {
    provider.script({ batch: { silent: true } });
    const controller = new AbortController();
    const made = lane.batches.create({
      marker: 'm',
      endpoint: '/v1/chat/completions',
      lines: lines(1),
      onUploaded: () => void setTimeout(() => controller.abort(new Error('cancelled')), 50),
      signal: controller.signal,
    });
    await expect(made).rejects.toThrow('cancelled');
    expect(provider.batches.files()).toBe(1);
  });
});

describe('a batch that is asked for', () => {
  it('is known by its marker if it is asked for twice', async () => {
    await create('mine');
    expect(provider.batches.made()).toMatchObject([{ idempotencyKey: 'mine' }]);
  });
});
