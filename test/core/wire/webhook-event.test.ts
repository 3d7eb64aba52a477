import { randomBytes } from 'node:crypto';
import OpenAI, { InvalidWebhookSignatureError } from 'openai';
import { describe, expect, it } from 'vitest';
import type { WebhookEvent } from '../../../core/contracts/webhook.ts';
import { webhookBody, webhookHeaders, webhookSecret } from '../../../core/wire/webhook-event.ts';

const EVENT: WebhookEvent = {
  id: 'evt_1',
  type: 'batch.completed',
  createdAt: 1_790_000_000_999,
  dataId: 'batch_1',
};
const client = new OpenAI({ apiKey: 'none' });
const newSecret = (): string => webhookSecret(randomBytes(32));

describe('an event on the wire', () => {
  it('has OpenAI’s body', () => {
    expect(webhookBody(EVENT)).toBe(
      '{"id":"evt_1","object":"event","created_at":1790000000,"type":"batch.completed","data":{"id":"batch_1"}}',
    );
  });

  it('is signed as the example of Standard Webhooks', () => {
    // From the specification's reference libraries.
    const headers = webhookHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', 1_614_265_330_000, [
      'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    ]);
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is verified by the official client with either secret during a rotation, and with no other', async () => {
    const [current, previous] = [newSecret(), newSecret()];
    const body = webhookBody(EVENT);
    const headers = webhookHeaders(EVENT.id, body, Date.now(), [current, previous]);
    for (const secret of [current, previous]) {
      expect(await client.webhooks.unwrap(body, headers, secret)).toEqual(JSON.parse(body));
    }
    await expect(client.webhooks.unwrap(body, headers, newSecret())).rejects.toThrow(InvalidWebhookSignatureError);
    await expect(client.webhooks.unwrap(body.replace('batch_1', 'batch_2'), headers, current)).rejects.toThrow(
      InvalidWebhookSignatureError,
    );
  });

  it('is refused by the official client when it is replayed later', async () => {
    const secret = newSecret();
    const body = webhookBody(EVENT);
    const headers = webhookHeaders(EVENT.id, body, Date.now() - 301_000, [secret]);
    await expect(client.webhooks.unwrap(body, headers, secret)).rejects.toThrow(/too old/);
  });
});
