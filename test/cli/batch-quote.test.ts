import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliIo } from '../../cli/cli-io.ts';
import { run } from '../../cli/run.ts';
import { rows } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { plantLaneDoc } from '../support/planted.ts';

let database: TestDatabase;
let api: FileApi;
let folder: string;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
  folder = await mkdtemp(join(tmpdir(), 'flatlane-cli-'));
  await api.lanes.insert(plantLaneDoc('meter', { models: ['gpt-5.5'], concurrency: 32 }));
});
afterAll(async () => {
  await api.app.close();
  await database.release();
  await rm(folder, { recursive: true, force: true });
});

const out: string[] = [];
const err: string[] = [];
async function flatlane(...args: string[]): Promise<number> {
  out.length = 0;
  err.length = 0;
  const io: CliIo = {
    out: (line) => void out.push(...line.split('\n')),
    err: (line) => void err.push(line),
    live: null,
    confirm: async () => null,
    readSecret: async () => '',
    readEnvironment: () => undefined,
    interrupted: new AbortController().signal,
    now: () => 0,
    sleep: async () => undefined,
  };
  return run(['batches', ...args, '--base-url', `${api.url}/v1`, '--api-key', api.secret], io);
}
async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('flatlane batches quote', () => {
  it('says what a file will take, and of which batch can be made then without sending it again', async () => {
    const path = await write(
      'lines.jsonl',
      rows(40).replaceAll('"m"', '"gpt-5.5"').replaceAll('}}', ',"max_tokens":50}}'),
    );
    expect([await flatlane('quote', path), err]).toEqual([0, []]);
    const fileId = /40 lines in (file-[0-9a-f]{32}), 0 of them not valid/.exec(out[0] ?? '')?.[1] ?? '';
    expect(out[2]).toMatch(/^MODEL +LINES +TOKENS IN +TOKENS OUT +ON THE METER +BATCH API +LANES$/);
    expect(out[3]).toMatch(/^gpt-5\.5 +40 +\d+ to \d+ +2000 \(assumed\) +\$0\.06 +\$0\.03 +meter$/);
    expect(out.join('\n')).toMatch(/expected end: \d{4}-.* to \d{4}-.* \(assumed\); it fits the window/);

    expect(await flatlane('create', fileId)).toBe(0);
    const batchId = out[0] ?? '';
    expect(api.started.at(-1)).toMatchObject({ _id: batchId, inputFileId: fileId });
    expect(await flatlane('quote', batchId)).toBe(0);
    expect(out[0]).toMatch(/QUOTE +ACTUAL$/);
    expect(out[1]).toMatch(/^lines +40 +0$/);
    expect(out.at(-1)).toBe('The batch is validating: these are the figures so far.');
  });

  it.each(['batch_tasks.jsonl', `batch_${'0a'.repeat(16)}_retry.jsonl`])('takes %s for a file', async (name) => {
    // None of that name is here.
    expect(await flatlane('quote', name)).toBe(1);
    expect(err).toEqual([`The file '${name}' can't be read.`]);
  });

  it('names the first line that is not valid, and models that nobody serves', async () => {
    const path = await write('bad.jsonl', `{"custom_id":"a"}\n${rows(1)}`);
    expect(await flatlane('quote', path)).toBe(0);
    expect(out[0]).toMatch(/^2 lines in .*, 1 of them not valid$/);
    expect(out[1]).toMatch(/^the first: line 1: missing_required_parameter: /);
    expect(out.join('\n')).toMatch(/m +1 .* none serves it/);
  });

  it('counts on lanes that cost money where the batch is to name its limit', async () => {
    const lanes = [{ laneId: 'meter', model: 'gpt-5.5' }];
    await api.routes.put({ _id: 'asked', lanes, metered: 'ask', updatedAt: 1 });
    // The picture of the lanes that the directory holds is past.
    api.clock.advance(1_000);
    const path = await write('asked.jsonl', rows(1).replaceAll('"m"', '"asked"'));
    expect(await flatlane('quote', path)).toBe(0);
    expect(out[3]).toMatch(/^asked +1 .* none serves it$/);
    expect(await flatlane('quote', path, '--max-usd', '2.50')).toBe(0);
    expect(out[3]).toMatch(/^asked +1 .* meter$/);
    expect(await flatlane('quote', path, '--max-usd', 'much')).toBe(1);
    expect(err.join()).toContain('max_metered_usd');
  });

  it('makes lines of rows by a prompt', async () => {
    const path = await write('rows.csv', 'text\none\ntwo\n');
    expect(await flatlane('quote', path, '--model', 'gpt-5.5', '--prompt', 'Say {{text}}')).toBe(0);
    expect(out[0]).toMatch(/^2 lines/);
    expect(await flatlane('quote', path)).toBe(1);
    expect(err.join('')).toContain('template');
  });

  it('says so when a file is not there, and when no quote was given', async () => {
    expect(await flatlane('quote', join(folder, 'none.jsonl'))).toBe(1);
    expect(err[0]).toMatch(/can't be read/);
    const file = await api.putFile(rows(1), { ownerId: api.ownerId });
    const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId });
    expect(await flatlane('quote', _id)).toBe(0);
    expect(out[0]).toBe('No quote was given before this batch.');
  });
});
