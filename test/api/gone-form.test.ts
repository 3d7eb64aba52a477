import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { issueKey } from '../../api/admin/issue-key.ts';
import { closeApp, countRequests } from '../../api/close-app.ts';
import { createApp } from '../../api/create-app.ts';
import { registerFileRoutes } from '../../api/routes/files.ts';
import { registerUploadRoutes } from '../../api/routes/uploads.ts';
import { createUnderWay, type UnderWay } from '../../api/under-way.ts';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';
import type { IdempotencyDoc } from '../../store/idempotency.ts';
import { createBatchWorld, row, type BatchWorld } from '../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';
import { silentLog } from '../support/planted.ts';

let database: TestDatabase;
let world: BatchWorld;
let app: FastifyInstance;
let underWay: UnderWay;
let answers: () => number;
let secret: string;
let url: string;
let leave: AbortController;
/** When true the next look-up goes on only after its caller has left. */
let isHeld: boolean;
let looks: number;

beforeEach(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  const secretBox = createSecretBox(newMasterKey());
  app = createApp({ keys: world.keys, secretBox, log: silentLog, defaultAccess: 'key' });
  underWay = createUnderWay();
  answers = countRequests(app, underWay);
  leave = new AbortController();
  isHeld = false;
  looks = 0;
  let closed: Promise<unknown> = Promise.resolve();
  const held =
    <Given extends unknown[], Result>(lookUp: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      const found = await lookUp(...given);
      if (isHeld) leave.abort();
      if (isHeld) await closed;
      isHeld = false;
      return found;
    };
  const { idempotency, uploads } = world;
  const find = (id: string) => {
    looks += 1;
    return idempotency.find(id);
  };
  registerFileRoutes(app, {
    ...world,
    idempotency: { ...idempotency, find, claim: held((wanted: IdempotencyDoc) => idempotency.claim(wanted)) },
  });
  registerUploadRoutes(app, { ...world, uploads: { ...uploads, findOwned: held(uploads.findOwned) } });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  app.server.on('request', (request: IncomingMessage) => {
    closed = once(request, 'close').catch(() => undefined);
  });
  ({ secret } = await issueKey({ ...world, secretBox }, { name: 'app', planLanes: false, admin: false }));
});
afterEach(async () => {
  await closeApp(app, answers, 0);
  await database.release();
});

/** Sends a form with a file; a caller who leaves gets 0. */
async function send(path: string, field: string, key?: string): Promise<number> {
  const form = new FormData();
  form.append('purpose', 'batch');
  if (field === 'data') form.delete('purpose');
  form.append(field, new File([row('a')], 'input.jsonl'));
  const headers = { authorization: `Bearer ${secret}`, ...(key === undefined ? {} : { 'idempotency-key': key }) };
  return fetch(url + path, { method: 'POST', headers, body: form, signal: leave.signal }).then(
    ({ status }) => status,
    () => 0,
  );
}

describe('a caller who leaves before the form is read', () => {
  it('leaves an upload that ends, and its key to the next', async () => {
    isHeld = true;
    expect(await send('/v1/files', 'file', 'gone')).toBe(0);
    await underWay.settled();
    expect(await database.db.collection('idempotency').findOne({})).toMatchObject({ leaseUntil: 0, answer: null });
    leave = new AbortController();
    expect(await send('/v1/files', 'file', 'gone')).toBe(200);
  });

  it('leaves no part of an upload behind that is waited for', async () => {
    const created = await fetch(`${url}/v1/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ filename: 'a.jsonl', purpose: 'batch', bytes: 10, mime_type: 'application/jsonl' }),
    });
    const { id } = (await created.json()) as { id: string };
    isHeld = true;
    expect(await send(`/v1/uploads/${id}/parts`, 'data')).toBe(0);
    await underWay.settled();
    expect(await database.db.collection('upload_parts').countDocuments()).toBe(0);
  });
});

it('waits for the first of two same uploads only as long as the caller of the second does', async () => {
  expect(await send('/v1/files', 'file', 'repeated')).toBe(200);
  const running = { $set: { answer: null, leaseUntil: world.clock.now() + 600_000 } };
  await database.db.collection('idempotency').updateMany({}, running);
  const repeat = send('/v1/files', 'file', 'repeated');
  await expect.poll(() => looks).toBeGreaterThan(1);
  leave.abort();
  expect(await repeat).toBe(0);
  await underWay.settled();
});
