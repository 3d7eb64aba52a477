import { createHmac } from 'node:crypto';
import { toUnixSeconds } from '../clock.ts';
import type { WebhookEvent } from '../contracts/webhook.ts';

/** Standard Webhooks: how an event is written, signed and sent. */

const SECRET_PREFIX = 'whsec_';

/** The body of an event, as OpenAI sends it. The same event has the same bytes in every attempt. */
export function webhookBody({ id, type, createdAt, dataId }: WebhookEvent): string {
  return JSON.stringify({ id, object: 'event', created_at: toUnixSeconds(createdAt), type, data: { id: dataId } });
}

/** @param bytes 24 to 64 random bytes */
export function webhookSecret(bytes: Uint8Array): string {
  return SECRET_PREFIX + Buffer.from(bytes).toString('base64');
}

/**
 * The headers of one attempt. A receiver takes it when one signature fits its secret, so during a rotation there is one of each.
 * @param atMs when the attempt is made, in Unix milliseconds: receivers refuse old ones, against replays
 * @param secrets `whsec_…`, at least one
 */
export function webhookHeaders(
  eventId: string,
  body: string,
  atMs: number,
  secrets: readonly string[],
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const timestamp = String(toUnixSeconds(atMs));
  const sign = (secret: string): string => {
    const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${eventId}.${timestamp}.${body}`).digest('base64')}`;
  };
  return {
    'webhook-id': eventId,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(sign).join(' '),
  };
}
