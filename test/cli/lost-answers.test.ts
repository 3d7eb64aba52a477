import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as ask, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../cli/run.ts';
import { row } from '../support/batch-world.ts';
import { startFileApi, type FileApi } from '../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { SILENT_IO } from '../support/silent-io.ts';

type Loss =
  | 'before their beginning'
  | 'in their middle'
  | 'behind a 502'
  | 'behind a last word'
  | 'in another language'
  | 'elsewhere';

let database: TestDatabase;
let api: FileApi;
let folder: string;
/** Answers of these paths that are lost on their way, though the API has given them. */
const losses = new Map<string, Loss[]>();
const seen: { readonly path: string; readonly key: string | undefined }[] = [];
const out: string[] = [];
const err: string[] = [];
let pauses = 0;
let onPause: () => void = () => undefined;
let interrupted = new AbortController();

/** Between the command and the true API. */
const proxy = createServer((request, response) => {
  const pass = async (): Promise<void> => {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request);
    const key = headers['idempotency-key'];
    seen.push({ path: url, key: typeof key === 'string' ? key : undefined });
    // Not by `fetch`: other tests of this process may have loaded undici, which takes the place of Node's own behind it.
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      ask(api.url + url, { method, headers: { ...headers, connection: 'close' } }, resolve)
        .once('error', reject)
        .end(body);
    });
    const text = await textOf(answer);
    const loss = losses.get(url)?.shift();
    if (loss === 'before their beginning') return void response.destroy();
    if (loss === 'in another language') return void request.socket.end('no HTTP\r\n\r\n');
    if (loss === 'elsewhere') return void response.writeHead(302, { location: '/' }).end();
    if (loss === 'behind a 502') return void response.writeHead(502).end('<html>');
    if (loss === 'behind a last word') {
      response.writeHead(503, { 'x-should-retry': 'false' });
      return void response.end('{"error":{"message":"It is stored."}}');
    }
    response.writeHead(answer.statusCode ?? 0, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    if (loss === undefined) return void response.end(text);
    response.write(text.slice(0, 10), () => response.destroy());
  };
  pass().catch(() => response.destroy());
});

beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
  folder = await mkdtemp(join(tmpdir(), 'flatlane-cli-'));
  await writeFile(join(folder, 'rows.jsonl'), `${row('a')}\n`);
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await api.app.close();
  await database.release();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  losses.clear();
  seen.length = 0;
  api.started.length = 0;
  pauses = 0;
  onPause = () => undefined;
  interrupted = new AbortController();
});

function flatlane(args: readonly string[], port = (proxy.address() as AddressInfo).port): Promise<number> {
  out.length = 0;
  err.length = 0;
  const io = {
    ...SILENT_IO,
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
    interrupted: interrupted.signal,
    sleep: async () => {
      pauses += 1;
      onPause();
      interrupted.signal.throwIfAborted();
    },
  };
  return run(['batches', ...args, '--base-url', `http://127.0.0.1:${port}/v1`, '--api-key', api.secret], io);
}
const create = (port?: number): Promise<number> => flatlane(['create', join(folder, 'rows.jsonl')], port);
/** The command's next request fails as `fetch` does. */
function failNext({
  message,
  ...cause
}: {
  readonly code?: string;
  readonly syscall?: string;
  readonly message?: string;
}) {
  const failure = new TypeError('fetch failed', { cause: Object.assign(new Error(message), cause) });
  vi.spyOn(globalThis, 'fetch').mockRejectedValueOnce(failure);
}

/** Of nobody: it was open a moment ago. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
const lostFor = (loss: Loss, times: number): Loss[] => Array.from({ length: times }, () => loss);

describe('flatlane batches create, when an answer is lost', () => {
  it.each(['before their beginning', 'in their middle', 'behind a 502'] as const)(
    'makes one file and one batch of one command where answers are lost %s',
    async (loss) => {
      losses.set('/v1/files', lostFor(loss, 1)).set('/v1/batches', lostFor(loss, 2));
      expect([await create(), err]).toEqual([0, []]);
      expect(api.started.map(({ _id }) => _id)).toEqual(out);
      const paths = ['/v1/files', '/v1/files', '/v1/batches', '/v1/batches', '/v1/batches'];
      expect(seen.map(({ path }) => path)).toEqual(paths);
      expect(new Set(seen.map(({ path, key }) => `${path} ${key}`)).size).toBe(2);
      expect(seen.every(({ key }) => key !== undefined)).toBe(true);
    },
  );

  it('makes another batch with another command', async () => {
    await create();
    await create();
    expect(api.started).toHaveLength(2);
    expect(new Set(seen.map(({ key }) => key)).size).toBe(4);
    expect(pauses).toBe(0);
  });

  it('says how to see whether the batch is there when its answer stays lost', async () => {
    losses.set('/v1/batches', lostFor('before their beginning', 100));
    expect(await create()).toBe(1);
    expect(err).toEqual([expect.stringMatching(/broke off before its answer was there\. .*see: flatlane batches$/)]);
    expect(api.started).toHaveLength(1);
  });

  it('says so at Ctrl-C as well', async () => {
    losses.set('/v1/batches', lostFor('before their beginning', 100));
    onPause = () => interrupted.abort();
    expect(await create()).toBe(130);
    expect(err).toEqual([expect.stringMatching(/^Interrupted\. .*see: flatlane batches$/)]);
  });

  it('makes the batch that is stored and could not be started yet', async () => {
    api.faults.start = new Error('Temporal is away');
    onPause = () => delete api.faults.start;
    expect([await create(), err, pauses]).toEqual([0, [], 1]);
    expect(api.started.map(({ _id }) => _id)).toEqual(out);
  });

  it('leaves it at what the API says where it is not to be asked again', async () => {
    losses.set('/v1/batches', lostFor('behind a last word', 1));
    expect([await create(), err, pauses]).toEqual([1, ['It is stored.'], 0]);
  });

  it('leaves it at that as well when an answer was lost before', async () => {
    losses.set('/v1/files', ['before their beginning', 'behind a last word']);
    expect([await create(), err, pauses]).toEqual([1, ['It is stored.'], 1]);
  });

  it('asks no second time an API that does not answer in the time that Node gives it', async () => {
    failNext({ code: 'UND_ERR_HEADERS_TIMEOUT' });
    expect([await create(), pauses]).toEqual([1, 0]);
    expect(err).toEqual([expect.stringMatching(/does not answer\. Is flatlane overloaded, or stopping\?$/)]);
  });

  it.each([
    { code: 'ETIMEDOUT', syscall: 'read' },
    { code: 'EHOSTUNREACH', syscall: 'read' },
    { code: 'UND_ERR_SOCKET' },
    { message: 'new of its kind' },
  ])('makes one batch when a connection that stood ends with %o', async (cause) => {
    failNext(cause);
    expect([await create(), err, pauses]).toEqual([0, [], 1]);
    expect(api.started.map(({ _id }) => _id)).toEqual(out);
  });

  it.each([
    { code: 'EHOSTUNREACH', syscall: 'connect' },
    { code: 'EAI_AGAIN', syscall: 'getaddrinfo' },
    { code: 'UND_ERR_CONNECT_TIMEOUT' },
    { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  ])('asks once where there is no connection: %o', async (cause) => {
    failNext(cause);
    expect([await create(), pauses]).toEqual([1, 0]);
    expect(err).toEqual([expect.stringMatching(/^Nothing answers at .*--base-url\.$/)]);
  });

  it('takes a request that was sent for one that may be carried out, whatever became of the answer', async () => {
    losses.set('/v1/batches', lostFor('in another language', 100));
    expect(await create()).toBe(1);
    expect(err).toEqual([expect.stringMatching(/broke off before its answer was there\. .*see: flatlane batches$/)]);
  });

  it('asks once, and goes nowhere else, where it is sent elsewhere', async () => {
    losses.set('/v1/files', lostFor('elsewhere', 1));
    expect([await create(), err, pauses]).toEqual([1, ['It answered 302.'], 0]);
  });

  it.each([
    ['where nothing listens', closedPort],
    ['at a port that `fetch` never goes to', async () => 1],
  ])('asks once where nothing answers at all: %s', async (_where, port) => {
    expect(await create(await port())).toBe(1);
    expect(err).toEqual([expect.stringMatching(/^Nothing answers at .*--base-url\.$/)]);
    expect(pauses).toBe(0);
  });
});

describe('flatlane batches retry, when its answer is lost', () => {
  it('asks no second time, and says how to see whether the batch is there', async () => {
    losses.set('/v1/batches/batch_none/retry', lostFor('before their beginning', 1));
    expect(await flatlane(['retry', 'batch_none'])).toBe(1);
    expect(err[0]).toContain('see: flatlane batches');
    expect(seen).toEqual([{ path: '/v1/batches/batch_none/retry', key: undefined }]);
  });
});
