import { randomBytes } from 'node:crypto';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAnnounceBatch } from '../../../activities/webhooks/announce-batch.ts';
import { createDeliverWebhook } from '../../../activities/webhooks/deliver-webhook.ts';
import { systemClock } from '../../../core/clock.ts';
import { WEBHOOK_EVENT_TYPES, type WebhookEvent } from '../../../core/contracts/webhook.ts';
import { newWebhookId } from '../../../core/ids.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { webhookSecret } from '../../../core/wire/webhook-event.ts';
import { createWebhookPoster, type WebhookPoster } from '../../../lanes/webhooks/post-webhook.ts';
import { webhookSecretPlace, type WebhookDoc } from '../../../store/webhooks.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../../standins/webhook-receiver.ts';
import { createBatchWorld, OWNER, type BatchWorld } from '../../support/batch-world.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

const EVENT: WebhookEvent = { id: 'evt_1', type: 'batch.completed', createdAt: 1_790_000_000_000, dataId: 'batch_1' };
const client = new OpenAI({ apiKey: 'none' });

let database: TestDatabase;
let world: BatchWorld;
let poster: WebhookPoster;
let receiver: WebhookReceiver;
beforeAll(async () => {
  database = await openTestDatabase();
  world = await createBatchWorld(database);
  poster = createWebhookPoster();
});
afterAll(async () => {
  await poster.close();
  await database.release();
});
beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(() => receiver.close());

const secretBox = createSecretBox(newMasterKey());
const { log, lines } = keptLog();
const deliver = (endpointId: string, attempt = 1) =>
  createDeliverWebhook({
    ...world,
    secretBox,
    poster,
    clock: systemClock,
    log,
    signal: () => new AbortController().signal,
  })({ endpointId, event: EVENT, attempt });

async function plant(given: Partial<WebhookDoc> = {}): Promise<{ id: string; secret: string }> {
  const id = newWebhookId();
  const secret = webhookSecret(randomBytes(32));
  await world.webhooks.insert({
    _id: id,
    keyId: OWNER,
    url: receiver.url,
    allowPrivateAddresses: true,
    events: WEBHOOK_EVENT_TYPES,
    enabled: true,
    why: null,
    sealedSecret: secretBox.seal(secret, webhookSecretPlace(id)),
    previousSecret: null,
    createdAt: 1,
    attempts: [],
    ...given,
  });
  return { id, secret };
}

const unwrap = (secret: string, index = 0): Promise<unknown> => {
  const { body = '', headers = {} } = receiver.received[index] ?? {};
  return client.webhooks.unwrap(body, headers, secret);
};

describe('delivering a webhook', () => {
  it('sends what the official client verifies, and keeps the attempt without URL, body and secret', async () => {
    const { id, secret } = await plant();
    expect(await deliver(id)).toMatchObject({ outcome: 'delivered', status: 204, why: null });
    expect(await unwrap(secret)).toEqual({
      id: 'evt_1',
      object: 'event',
      created_at: 1_790_000_000,
      type: 'batch.completed',
      data: { id: 'batch_1' },
    });
    const kept = await world.webhooks.find(id);
    expect(kept?.attempts).toMatchObject([{ eventId: 'evt_1', attempt: 1, outcome: 'delivered', status: 204 }]);
    expect(JSON.stringify(kept?.attempts)).not.toMatch(/whsec|token|signature/);
    expect(JSON.stringify(kept)).not.toContain(secret.slice(10));
    expect(lines.join('')).not.toMatch(/whsec|token=/);
  });

  it('signs with both secrets until the time of the one before is over', async () => {
    const previous = webhookSecret(randomBytes(32));
    const { id, secret } = await plant();
    const { sealedSecret = '' } = (await world.webhooks.find(id)) ?? {};
    const sealed = secretBox.seal(previous, webhookSecretPlace(id));
    await world.webhooks.rotate(id, sealedSecret, sealedSecret, { sealed, until: Date.now() + 60_000 });
    await deliver(id);
    await expect(unwrap(secret)).resolves.toBeDefined();
    await expect(unwrap(previous)).resolves.toBeDefined();
    await world.webhooks.rotate(id, sealedSecret, sealedSecret, { sealed, until: Date.now() - 1 });
    await deliver(id);
    await expect(unwrap(secret, 1)).resolves.toBeDefined();
    await expect(unwrap(previous, 1)).rejects.toThrow();
  });

  it.each([
    [400, 'failed', 'the receiver answered 400'],
    [500, 'failed', 'the receiver answered 500'],
    [302, 'failed', 'the receiver redirects, which is not followed'],
    [410, 'gone', 'the receiver says that it is gone'],
    [202, 'delivered', null],
  ])('takes %i as %s', async (status, outcome, why) => {
    const { id } = await plant();
    receiver.answer(status);
    expect(await deliver(id)).toMatchObject({ outcome, status, why });
    expect(await world.webhooks.find(id)).toMatchObject({
      enabled: status !== 410,
      attempts: [{ outcome, status, why }],
    });
  });

  it('sends nothing to one that was disabled or removed', async () => {
    const { id } = await plant({ enabled: false });
    expect(await deliver(id)).toMatchObject({ outcome: 'stopped' });
    expect(await deliver('wh_gone')).toMatchObject({ outcome: 'stopped' });
    expect(receiver.received).toEqual([]);
  });

  it('says so when the secret was sealed with another master key', async () => {
    const { id } = await plant({ sealedSecret: createSecretBox(newMasterKey()).seal('whsec_x', 'elsewhere') });
    expect(await deliver(id)).toMatchObject({ outcome: 'failed', why: expect.stringContaining('rotate') as string });
    expect(receiver.received).toEqual([]);
  });

  it('keeps the last 100 attempts', async () => {
    const { id } = await plant();
    for (let attempt = 1; attempt <= 102; attempt++) {
      await world.webhooks.record(id, {
        eventId: 'evt_1',
        type: 'batch.completed',
        dataId: 'batch_1',
        attempt,
        at: attempt,
        durationMs: 1,
        outcome: 'failed',
        status: null,
        why: 'x',
      });
    }
    const { attempts = [] } = (await world.webhooks.find(id)) ?? {};
    expect([attempts.length, attempts[0]?.attempt, attempts.at(-1)?.attempt]).toEqual([100, 3, 102]);
  });
});

describe('announcing the end of a batch', () => {
  it.each([
    ['completed', 'completedAt'],
    ['failed', 'failedAt'],
    ['expired', 'expiredAt'],
    ['cancelled', 'cancelledAt'],
  ] as const)('names those of its key that want to hear that it is %s', async (status, time) => {
    const ownerId = `key_${status}`;
    const wanted = await plant({ keyId: ownerId, events: [`batch.${status}`] });
    await plant({ keyId: ownerId, events: WEBHOOK_EVENT_TYPES.filter((type) => type !== `batch.${status}`) });
    await plant({ keyId: ownerId, enabled: false });
    const batch = await world.putBatch('file-1', { ownerId, status, announce: 'due', [time]: 1_790_000_000_500 });
    expect(await createAnnounceBatch(world)({ batchId: batch._id })).toEqual({
      event: {
        id: batch._id.replace('batch_', 'evt_'),
        type: `batch.${status}`,
        createdAt: 1_790_000_000_500,
        dataId: batch._id,
      },
      endpointIds: [wanted.id],
    });
  });

  it('is silent of an end that was announced, and of one from before ends were noted', async () => {
    const ownerId = 'key_silent';
    await plant({ keyId: ownerId });
    const batch = await world.putBatch('file-1', { ownerId, status: 'in_progress' });
    await world.batches.transition(batch._id, 'expired', 5);
    const announceBatch = createAnnounceBatch(world);
    // Twice, as when the worker dies before what it said is known.
    for (let time = 0; time < 2; time++) expect(await announceBatch({ batchId: batch._id })).not.toBeNull();
    await world.batchAnnouncements.markAnnounced(batch._id);
    expect(await announceBatch({ batchId: batch._id })).toBeNull();
    const early = await world.putBatch('file-1', { ownerId, status: 'completed', completedAt: 5 });
    expect(await announceBatch({ batchId: early._id })).toBeNull();
  });

  it('is done with an end that nobody wants to hear of', async () => {
    const batch = await world.putBatch('file-1', { ownerId: 'key_alone', status: 'in_progress' });
    await world.batches.transition(batch._id, 'expired', 5);
    expect(await createAnnounceBatch(world)({ batchId: batch._id })).toMatchObject({ endpointIds: [] });
    expect(await world.read(batch._id)).not.toHaveProperty('announce');
  });

  it('is silent of a batch that is not over, or gone', async () => {
    const batch = await world.putBatch('file-1', { status: 'finalizing' });
    expect(await createAnnounceBatch(world)({ batchId: batch._id })).toBeNull();
    expect(await createAnnounceBatch(world)({ batchId: 'batch_gone' })).toBeNull();
  });
});
