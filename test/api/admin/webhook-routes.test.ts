import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issueKey } from '../../../api/admin/issue-key.ts';
import { registerWebhookRoutes } from '../../../api/admin/webhook-routes.ts';
import { createApp } from '../../../api/create-app.ts';
import { MOST_WEBHOOKS_A_KEY, type WebhookDelivery } from '../../../core/contracts/webhook.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { checkWebhookUrl } from '../../../lanes/webhooks/webhook-address.ts';
import { createStores, type Stores } from '../../../store/stores.ts';
import { webhookSecretPlace } from '../../../store/webhooks.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

const URL = 'https://93.184.215.14/hook';
const clock = createMovableClock();
const secretBox = createSecretBox(newMasterKey());
const { log, lines } = keptLog();

let database: TestDatabase;
let stores: Stores;
let app: FastifyInstance;
let adminKey = '';
let keyId = '';
let delivery: WebhookDelivery | null = null;
let tested: unknown[] = [];

beforeAll(async () => {
  database = await openTestDatabase();
  stores = createStores(database.db);
  await stores.ensureIndexes();
  app = createApp({ keys: stores.keys, secretBox, log, defaultAccess: 'admin' });
  registerWebhookRoutes(app, {
    ...stores,
    secretBox,
    clock,
    checkUrl: checkWebhookUrl,
    sendTest: async (endpointId, type) => {
      tested.push([endpointId, type]);
      return { event: { id: 'evt_test', type, createdAt: 1, dataId: 'batch_0' }, delivery };
    },
  });
  const issued = await issueKey({ ...stores, secretBox, clock }, { name: 'owner', planLanes: true, admin: true });
  adminKey = issued.secret;
});
afterAll(async () => {
  await app.close();
  await database.release();
});
beforeEach(async () => {
  tested = [];
  const { key } = await issueKey({ ...stores, secretBox, clock }, { name: 'app', planLanes: false, admin: false });
  keyId = key.keyId;
});

async function ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) {
  const response = await app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${adminKey}` },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
}

interface Made {
  readonly webhook: { readonly id: string; readonly previousSecretUntil: number | null };
  readonly secret: string;
}
const add = async (given: object = {}): Promise<Made> =>
  (await ask('POST', '/admin/webhooks', { keyId, url: URL, ...given })).body as unknown as Made;

describe('adding a webhook', () => {
  it('shows the secret once, and stores it sealed', async () => {
    const { webhook, secret } = await add();
    expect(webhook).toEqual({
      id: webhook.id,
      keyId,
      url: URL,
      allowPrivateAddresses: false,
      events: ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'],
      enabled: true,
      why: null,
      createdAt: clock.now(),
      previousSecretUntil: null,
      lastAttempt: null,
    });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const stored = await stores.webhooks.find(webhook.id);
    expect(secretBox.open(stored?.sealedSecret ?? '', webhookSecretPlace(webhook.id))).toBe(secret);
    const shown = await Promise.all([
      ask('GET', '/admin/webhooks'),
      ask('GET', `/admin/webhooks/${webhook.id}`),
      ask('PATCH', `/admin/webhooks/${webhook.id}`, { events: ['batch.failed'] }),
    ]);
    expect(JSON.stringify([stored, shown, lines])).not.toContain(secret.slice(6, 30));
    expect(JSON.stringify(shown)).not.toMatch(/sealed/i);
  });

  it.each([
    [{}, 'missing_required_parameter', 'keyId'],
    [{ keyId: 'key_none', url: URL }, 'invalid_value', 'keyId'],
    [{ keyId: 'app' }, 'missing_required_parameter', 'url'],
    [{ keyId: 'app', url: 'http://app.example.com' }, 'invalid_value', 'url'],
    [{ keyId: 'app', url: 'https://127.0.0.1/' }, 'invalid_value', 'url'],
    [{ keyId: 'app', url: 'https://localhost/' }, 'invalid_value', 'url'],
    [{ keyId: 'app', url: URL, events: [] }, 'invalid_value', 'events'],
    [{ keyId: 'app', url: URL, events: ['batch.begun'] }, 'invalid_value', 'events[0]'],
  ])('refuses %j', async (given, code, param) => {
    const body = 'keyId' in given && given.keyId === 'app' ? { ...given, keyId } : given;
    expect(await ask('POST', '/admin/webhooks', body)).toMatchObject({ status: 400, body: { error: { code, param } } });
    expect(await stores.webhooks.countOfKey(keyId)).toBe(0);
  });

  it('refuses a key that was revoked, and more than a key may have', async () => {
    for (let count = 0; count < MOST_WEBHOOKS_A_KEY; count++) await add();
    expect(await ask('POST', '/admin/webhooks', { keyId, url: URL })).toMatchObject({ status: 409 });
    await stores.keys.revoke(keyId, clock.now(), 'finish');
    expect(await ask('POST', '/admin/webhooks', { keyId, url: URL })).toMatchObject({ status: 400 });
  });
});

describe('a webhook', () => {
  it('is changed, with its address checked again', async () => {
    const { webhook } = await add();
    const path = `/admin/webhooks/${webhook.id}`;
    expect(await ask('PATCH', path, { url: 'https://10.0.0.1/' })).toMatchObject({ status: 400 });
    expect(await ask('PATCH', path, { url: 'https://10.0.0.1/', allowPrivateAddresses: true })).toMatchObject({
      status: 200,
      body: { webhook: { url: 'https://10.0.0.1/', allowPrivateAddresses: true } },
    });
    // What was allowed for the private address is not taken back under it.
    expect(await ask('PATCH', path, { allowPrivateAddresses: false })).toMatchObject({ status: 400 });
    expect(await ask('PATCH', path, {})).toMatchObject({ status: 400 });
    expect(await ask('PATCH', path, { enabled: false })).toMatchObject({
      body: { webhook: { enabled: false, why: 'disabled by its owner' } },
    });
    expect(await ask('PATCH', path, { enabled: true })).toMatchObject({
      body: { webhook: { enabled: true, why: null } },
    });
  });

  it('gets a new secret while the one before signs on for a day, or as long as is said', async () => {
    const { webhook, secret } = await add();
    const path = `/admin/webhooks/${webhook.id}/rotate`;
    const day = (await ask('POST', path)).body as unknown as Made;
    expect(day.secret).not.toBe(secret);
    expect(day.webhook.previousSecretUntil).toBe(clock.now() + 24 * 3_600_000);
    const stored = await stores.webhooks.find(webhook.id);
    expect(secretBox.open(stored?.previousSecret?.sealed ?? '', webhookSecretPlace(webhook.id))).toBe(secret);
    const atOnce = (await ask('POST', path, { overlapSeconds: 0 })).body as unknown as Made;
    expect(atOnce.webhook.previousSecretUntil).toBeNull();
    expect(await ask('POST', path, { overlapSeconds: -1 })).toMatchObject({ status: 400 });
  });

  it('is tested with the first of its events', async () => {
    const { webhook } = await add({ events: ['batch.failed'] });
    const path = `/admin/webhooks/${webhook.id}/test`;
    delivery = { outcome: 'delivered', status: 200, durationMs: 3, why: null };
    expect(await ask('POST', path)).toMatchObject({ status: 200, body: { eventId: 'evt_test', ...delivery } });
    expect(tested).toEqual([[webhook.id, 'batch.failed']]);
    delivery = null;
    expect(await ask('POST', path)).toMatchObject({ status: 503 });
    await ask('PATCH', `/admin/webhooks/${webhook.id}`, { enabled: false });
    expect(await ask('POST', path)).toMatchObject({ status: 409 });
  });

  it('is removed once, and unknown then', async () => {
    const { webhook } = await add();
    const path = `/admin/webhooks/${webhook.id}`;
    expect(await ask('DELETE', path)).toMatchObject({ status: 200, body: { deleted: true } });
    for (const [method, url] of [
      ['DELETE', path],
      ['GET', path],
      ['GET', `${path}/attempts`],
      ['PATCH', path],
      ['POST', `${path}/rotate`],
      ['POST', `${path}/test`],
    ] as const) {
      expect([method, url, (await ask(method, url, method === 'GET' ? undefined : {})).status]).toEqual([
        method,
        url,
        404,
      ]);
    }
  });
});
