import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCliBench, type CliBench } from './cli-bench.ts';

const EVENTS = ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'];
const WEBHOOK = {
  id: 'wh_1',
  keyId: 'key_1',
  url: 'https://app.example.com/hook?token=secret',
  allowPrivateAddresses: false,
  events: EVENTS,
  enabled: true,
  why: null,
  createdAt: 1_790_000_000_000,
  previousSecretUntil: null,
  lastAttempt: null,
};
const ATTEMPT = {
  eventId: 'evt_1',
  type: 'batch.completed',
  dataId: 'batch_1',
  attempt: 2,
  at: Date.UTC(2026, 10, 20, 12, 30),
  durationMs: 15,
  outcome: 'failed',
  status: 503,
  why: 'the receiver answered 503',
};

let bench: CliBench;
beforeEach(async () => {
  bench = await startCliBench();
});
afterEach(() => bench.close());

describe('flatlane webhooks', () => {
  it('lists webhooks with their last result, without the query of their URLs', async () => {
    const gone = {
      ...WEBHOOK,
      id: 'wh_2',
      url: 'https://b.example',
      events: ['batch.failed'],
      enabled: false,
      why: 'gone',
    };
    bench.admin.on('GET /admin/webhooks', { data: [{ ...WEBHOOK, lastAttempt: ATTEMPT }, gone] });
    for (const args of [['webhooks'], ['webhooks', 'list']]) {
      expect(await bench.flatlane(...args)).toBe(0);
      expect(bench.out).toEqual([
        'ID    KEY    URL                             EVENTS        STATE      LAST ATTEMPT       RESULT',
        'wh_1  key_1  https://app.example.com/hook?…  all           on         2026-11-20 12:30Z  failed (the receiver answered 503) in 15 ms',
        'wh_2  key_1  https://b.example               batch.failed  off: gone  -                  -',
      ]);
    }
  });

  it('adds one, and writes nothing but the secret to standard output', async () => {
    bench.admin.on('POST /admin/webhooks', { status: 201, body: { webhook: WEBHOOK, secret: 'whsec_abc' } });
    expect(await bench.flatlane('webhooks', 'add', WEBHOOK.url, '--key', 'key_1')).toBe(0);
    expect(bench.out).toEqual(['whsec_abc']);
    expect(bench.err).toEqual(['Added webhook wh_1. Its signing secret is shown only now:']);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ keyId: 'key_1', url: WEBHOOK.url });
  });

  it('adds one for some events at a private address', async () => {
    bench.admin.on('POST /admin/webhooks', { status: 201, body: { webhook: WEBHOOK, secret: 'whsec_abc' } });
    const options = ['--key', 'key_1', '--event', 'batch.failed', 'batch.expired', '--allow-private'];
    expect(await bench.flatlane('webhooks', 'add', 'http://127.0.0.1:9', ...options)).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({
      keyId: 'key_1',
      url: 'http://127.0.0.1:9',
      events: ['batch.failed', 'batch.expired'],
      allowPrivateAddresses: true,
    });
    expect(await bench.flatlane('webhooks', 'add', WEBHOOK.url, '--key', 'key_1', '--event', 'batch.begun')).toBe(1);
  });

  it('tests one', async () => {
    const delivered = { outcome: 'delivered', status: 204, durationMs: 7, why: null };
    bench.admin.on('POST /admin/webhooks/wh_1/test', (): object => ({ status: 200, body: delivered }));
    expect(await bench.flatlane('webhooks', 'test', 'wh_1')).toBe(0);
    expect(bench.out).toEqual(['The test event was delivered (204) in 7 ms.']);
  });

  it('says why a test was not delivered', async () => {
    const { status: _, ...answer } = ATTEMPT;
    bench.admin.on('POST /admin/webhooks/wh_1/test', answer);
    expect(await bench.flatlane('webhooks', 'test', 'wh_1')).toBe(1);
    expect(bench.err).toEqual(['The test was not delivered: the receiver answered 503.']);
  });

  it('shows the last attempts', async () => {
    bench.admin.on('GET /admin/webhooks/wh_1/attempts', { data: [ATTEMPT] });
    expect(await bench.flatlane('webhooks', 'attempts', 'wh_1')).toBe(0);
    expect(bench.out).toEqual([
      'TIME               EVENT            BATCH    ATTEMPT  RESULT',
      '2026-11-20 12:30Z  batch.completed  batch_1  2        failed (the receiver answered 503) in 15 ms',
    ]);
  });

  it('rotates a secret, with the time in which both count', async () => {
    const webhook = { ...WEBHOOK, previousSecretUntil: Date.UTC(2026, 10, 21) };
    bench.admin.on('POST /admin/webhooks/wh_1/rotate', { webhook, secret: 'whsec_new' });
    expect(await bench.flatlane('webhooks', 'rotate', 'wh_1', '--overlap', '12')).toBe(0);
    expect(bench.admin.seen.at(-1)?.body).toEqual({ overlapSeconds: 43_200 });
    expect(bench.out).toEqual(['whsec_new']);
    expect(bench.err).toEqual(['The one before signs until 2026-11-21 00:00Z. The new secret is shown only now:']);
    expect(await bench.flatlane('webhooks', 'rotate', 'wh_1', '--overlap', '169')).toBe(1);
  });

  it('disables, enables and removes one', async () => {
    bench.admin.on('PATCH /admin/webhooks/wh_1', (body: unknown) => ({ webhook: { ...WEBHOOK, ...(body as object) } }));
    bench.admin.on('DELETE /admin/webhooks/wh_1', { id: 'wh_1', deleted: true });
    expect(await bench.flatlane('webhooks', 'disable', 'wh_1')).toBe(0);
    expect(bench.out).toEqual(['Webhook wh_1 is off.']);
    expect(await bench.flatlane('webhooks', 'enable', 'wh_1')).toBe(0);
    expect(bench.out).toEqual(['Webhook wh_1 is on.']);
    expect(await bench.flatlane('webhooks', 'remove', 'wh_1')).toBe(0);
    expect(bench.out).toEqual(['Removed webhook wh_1.']);
  });
});
