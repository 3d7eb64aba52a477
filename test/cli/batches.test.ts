import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CliIo } from '../../cli/cli-io.ts';
import { run } from '../../cli/run.ts';
import { NO_USAGE } from '../../core/token-usage.ts';
import { tallyByLane } from '../../store/lane-tallies.ts';
import { result, row, rows } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { plantLaneDoc } from '../support/planted.ts';

const LANE = 'cccccccccccc';

const REFUSED = '{"error":{"message":"The prompt is too long.","code":"context_length_exceeded"}}';

/** Stands for a file that is there. */
const ROWS = 'ROWS';

let database: TestDatabase;
let api: FileApi;
let folder: string;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
  folder = await mkdtemp(join(tmpdir(), 'flatlane-cli-'));
  await api.lanes.insert({ ...plantLaneDoc('meter'), _id: LANE });
});
afterAll(async () => {
  await api.app.close();
  await database.release();
  await rm(folder, { recursive: true, force: true });
});

const out: string[] = [];
const err: string[] = [];
let live: string[] | null = null;
let interrupted = new AbortController();
beforeEach(() => {
  live = null;
  interrupted = new AbortController();
});

/** Runs a command as a terminal would, against the true routes. */
function flatlane(...args: string[]): Promise<number> {
  return runWith(['--base-url', `${api.url}/v1`, '--api-key', api.secret], args);
}
function runWith(options: readonly string[], args: readonly string[]): Promise<number> {
  out.length = 0;
  err.length = 0;
  const kept = live;
  const io: CliIo = {
    out: (line) => void out.push(...line.split('\n')),
    err: (line) => void err.push(line),
    live: kept === null ? null : (line) => void kept.push(line ?? '<end>'),
    confirm: async () => null,
    readSecret: async () => '',
    readEnvironment: () => undefined,
    interrupted: interrupted.signal,
    now: () => 0,
    sleep: async () => interrupted.signal.throwIfAborted(),
  };
  return run(['batches', ...args, ...options], io);
}

async function running(count: number): Promise<string> {
  const file = await api.putFile(rows(count), { ownerId: api.ownerId });
  const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId });
  await api.validateBatch({ batchId: _id });
  return _id;
}
async function finish(batchId: string, lines: readonly number[], kind: 'completed' | 'failed' = 'completed') {
  const done = lines.map((line) =>
    result(batchId, line, {
      laneId: LANE,
      kind,
      costMicros: 10_000,
      meterMicros: 10_000,
      ...(kind === 'failed' ? { statusCode: 400, body: REFUSED } : {}),
    }),
  );
  await api.results.insertMany(done);
  await api.batches.addCounts(batchId, {
    completed: kind === 'completed' ? lines.length : 0,
    failed: kind === 'failed' ? lines.length : 0,
    duplicates: 0,
    usage: NO_USAGE,
    byLane: tallyByLane(done),
  });
}
async function completed(): Promise<string> {
  const batchId = await running(3);
  await finish(batchId, [1, 3]);
  await finish(batchId, [2], 'failed');
  await api.finalizeBatch({ batchId, reason: 'completed' });
  return batchId;
}

describe('flatlane batches create', () => {
  it('uploads the file, makes the batch with what the options say, and shows its id', async () => {
    const path = join(folder, 'rows.jsonl');
    await writeFile(path, `${row('a')}\n${row('b')}\n`);
    const wishes = ['--spill', 'now', '--priority', 'high', '--max-usd', '2.50'];
    const metadata = ['--metadata', 'team=a=b', '--metadata', 'x=y'];
    const code = await flatlane('create', path, '--window', '48h', ...metadata, ...wishes);
    expect([code, err]).toEqual([0, []]);
    const batch = await api.read(out[0] ?? '');
    expect(batch).toMatchObject({
      completionWindow: '48h',
      control: { spill: 'now', priority: 'high' },
      spend: { maxMicros: 2_500_000 },
      endpoint: '/v1/chat/completions',
    });
    expect(batch.metadata).toContainEqual({ key: 'team', value: 'a=b' });
    expect(await api.readFile(batch.inputFileId)).toBe(await readFile(path, 'utf8'));
    expect(await api.client.files.retrieve(batch.inputFileId)).toMatchObject({ filename: 'rows.jsonl' });
  });

  it('takes a template', async () => {
    const [path, template] = [join(folder, 'rows.csv'), join(folder, 'template.json')];
    await writeFile(path, 'name\nAda\n');
    await writeFile(
      template,
      JSON.stringify({ body: { model: 'm', messages: [{ role: 'user', content: '{{name}}' }] } }),
    );
    expect(await flatlane('create', path, '--template', template)).toBe(0);
    expect((await api.read(out[0] ?? '')).template?.text).toContain('{{name}}');
  });

  it('makes a template of a prompt, and takes one or the other', async () => {
    const path = join(folder, 'rows.csv');
    await writeFile(path, 'name\nAda\n');
    expect(await flatlane('create', path, '--model', 'm', '--prompt', 'Greet {{name}}.')).toBe(0);
    expect(JSON.parse((await api.read(out[0] ?? '')).template?.text ?? '')).toEqual({
      body: { model: 'm', messages: [{ role: 'user', content: 'Greet {{name}}.' }] },
      custom_id: null,
    });
    expect(await flatlane('create', path, '--model', 'm', '--prompt', 'x', '--template', path)).not.toBe(0);
    expect(await flatlane('create', path, '--prompt', 'x')).not.toBe(0);
    expect(err.join()).toContain('--prompt and --model belong together.');
  });

  it.each([
    [['create', '/no/such/file'], "The file '/no/such/file' can't be read."],
    [['create', ROWS, '--template', ROWS], 'is no JSON'],
    [['create', ROWS, '--endpoint', '/v1/images'], 'endpoint'],
    [['create', ROWS, '--max-usd', 'much'], 'max_metered_usd'],
  ])('refuses %o', async (args, message) => {
    const path = join(folder, 'refused.jsonl');
    await writeFile(path, `${row('a')}\n${row('b')}\n`);
    expect(await flatlane(...args.map((arg) => (arg === ROWS ? path : arg)))).toBe(1);
    expect(err.join('\n')).toContain(message);
  });
});

describe('flatlane batches watch', () => {
  it('writes over its line on a terminal, up to the end', async () => {
    const batchId = await running(4);
    await finish(batchId, [1]);
    const seen: string[] = (live = []);
    const watching = flatlane('watch', batchId);
    await waitFor(() => seen.some((line) => line.includes('1/4')));
    await finish(batchId, [2, 3, 4]);
    await waitFor(() => seen.some((line) => line.includes('4/4')));
    await api.finalizeBatch({ batchId, reason: 'completed' });
    expect(await watching).toBe(0);
    expect(seen[0]).toMatch(/^\[#{6}\.{18}\] {2}25% {2}1\/4 {2}in_progress .*\$0\.01 paid {2}\$0\.01 on the meter$/);
    expect(seen.slice(-2)).toEqual([expect.stringMatching(/^\[#{24}\] 100% {2}4\/4 {2}completed/), '<end>']);
    expect(out.join('\n')).toMatch(/LANE +COMPLETED +FAILED +PAID +ON THE METER\nmeter +4 +0 +\$0\.04/);
    expect(err).toEqual([]);
  });

  it('writes plain lines where no terminal is: one for each state', async () => {
    const batchId = await running(2);
    const watching = flatlane('watch', batchId);
    await waitFor(() => err.length > 0);
    await finish(batchId, [1]);
    await finish(batchId, [2]);
    await api.finalizeBatch({ batchId, reason: 'completed' });
    expect(await watching).toBe(0);
    expect(err.map((line) => / (in_progress|finalizing|completed)/.exec(line)?.[1])).toEqual([
      ...new Set(err.map((line) => / (in_progress|finalizing|completed)/.exec(line)?.[1])),
    ]);
    expect(err.at(-1)).toContain('completed');
  });

  it('ends with 1 for a batch that did not complete, and shows it as JSON where asked', async () => {
    const batchId = await running(2);
    await finish(batchId, [1]);
    await api.finalizeBatch({ batchId, reason: 'expired' });
    expect(await flatlane('watch', batchId, '--json')).toBe(1);
    expect(JSON.parse(out.join('\n'))).toMatchObject({ object: 'batch.progress', status: 'expired' });
    expect(err.at(-1)).toBe(`Batch ${batchId} is expired.`);
  });

  it('says why a batch never began', async () => {
    const file = await api.putFile(`${row('a')}\n{"custom_id":"b"}\n`, { ownerId: api.ownerId });
    const { _id } = await api.putBatch(file._id, { ownerId: api.ownerId });
    await api.validateBatch({ batchId: _id });
    expect(await flatlane('watch', _id)).toBe(1);
    expect(out).toEqual(['No line was sent out.']);
    expect(err.slice(-2)).toEqual([
      expect.stringMatching(/^line 2: missing_required_parameter: /),
      `Batch ${_id} is failed.`,
    ]);
  });

  it('lets the batch go on at Ctrl-C, and says how to see it again', async () => {
    const batchId = await running(2);
    const watching = flatlane('watch', batchId);
    await waitFor(() => err.length > 0);
    interrupted.abort();
    expect(await watching).toBe(130);
    expect(err.at(-1)).toContain(`flatlane batches watch ${batchId}`);
  });
});

describe('flatlane batches results', () => {
  it('brings the lines to standard output, into a file, and as a table', async () => {
    const batchId = await completed();
    expect(await flatlane('results', batchId)).toBe(0);
    expect(out.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id)).toEqual(['id-1', 'id-2', 'id-3']);
    expect(await flatlane('results', batchId, '--kind', 'failed')).toBe(0);
    expect(out).toHaveLength(1);
    const path = join(folder, 'results.jsonl');
    expect(await flatlane('results', batchId, '-o', path)).toBe(0);
    expect(out).toEqual([]);
    expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(3);
    expect(await flatlane('results', batchId, '-o', join(folder, 'none', 'results.jsonl'))).toBe(1);
    expect(err).toEqual([`The file '${join(folder, 'none', 'results.jsonl')}' can't be written.`]);
    expect(await flatlane('results', batchId, '--csv')).toBe(0);
    expect(out[0]).toContain('custom_id');
  });
});

describe('flatlane batches', () => {
  it('lists and shows', async () => {
    const batchId = await completed();
    expect(await flatlane()).toBe(0);
    expect(out.find((line) => line.startsWith(batchId))).toMatch(/completed +m +3 +2 +1 /);
    expect(await flatlane('show', batchId)).toBe(0);
    expect(out.join('\n')).toMatch(/3\/3 {2}completed {2}1 failed .*\$0\.03 paid/);
    expect(out.join('\n')).toContain('meter');
  });

  it('cancels, pauses, resumes and sets the priority', async () => {
    const batchId = await running(1);
    expect(await flatlane('pause', batchId)).toBe(0);
    expect((await api.read(batchId)).control.paused).toBe(true);
    expect(await flatlane('resume', batchId)).toBe(0);
    expect((await api.read(batchId)).control.paused).toBe(false);
    expect(await flatlane('priority', batchId, 'high')).toBe(0);
    expect((await api.read(batchId)).control.priority).toBe('high');
    expect(await flatlane('priority', batchId, 'urgent')).toBe(1);
    expect(await flatlane('cancel', batchId)).toBe(0);
    expect(out).toEqual([`Batch ${batchId} is cancelling.`]);
    expect(await flatlane('pause', batchId)).toBe(1);
    expect(err.join('\n')).toContain("status 'cancelling'");
  });

  it('retries what has no answer, on the lanes that are named', async () => {
    const batchId = await completed();
    expect(await flatlane('retry', batchId, '--lanes', 'meter', '--only', 'failed')).toBe(0);
    expect(await api.read(out[0] ?? '')).toMatchObject({ retryOf: batchId, onlyLanes: [LANE] });
    expect(await flatlane('retry', await running(1))).toBe(1);
    expect(err.join('\n')).toContain('wait until it is over');
  });

  it('says what is wrong with the address or the key', async () => {
    expect(await runWith(['--base-url', `${api.url}/v1`, '--api-key', 'sk-fl-wrong'], [])).toBe(1);
    expect(err.join('\n')).toContain('FLATLANE_API_KEY');
    expect(await runWith(['--base-url', 'http://127.0.0.1:1/v1', '--api-key', 'x'], [])).toBe(1);
    expect(err.join('\n')).toContain('Nothing answers');
    expect(await runWith(['--base-url', 'nowhere', '--api-key', 'x'], [])).toBe(1);
    expect(err.join('\n')).toContain('--base-url');
    expect(await flatlane('show', 'batch_none')).toBe(1);
    expect(err.join('\n')).toContain('No batch found');
  });
});

async function waitFor(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
