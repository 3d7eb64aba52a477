/** What webhooks tell of: the ends of batches, named as at OpenAI. */
export const WEBHOOK_EVENT_TYPES = ['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'] as const;

export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

/** An event as workflows carry it: ids and times. The body that is sent is made of it anew for each attempt. */
export interface WebhookEvent {
  readonly id: string;
  readonly type: WebhookEventType;
  /** Unix milliseconds at which it happened. */
  readonly createdAt: number;
  /** The batch. */
  readonly dataId: string;
}

/** The batch whose end is to be announced. */
export interface AnnounceInput {
  readonly batchId: string;
}

/** What a batch's end makes known, and to which endpoints. */
export interface BatchAnnouncement {
  readonly event: WebhookEvent;
  readonly endpointIds: readonly string[];
}

export interface WebhookInput {
  readonly event: WebhookEvent;
  readonly endpointId: string;
  /** A test is sent once: its owner waits for the outcome. */
  readonly once: boolean;
}

export interface DeliverWebhookInput {
  readonly event: WebhookEvent;
  readonly endpointId: string;
  /** Counts from 1. */
  readonly attempt: number;
}

/**
 * - delivered: the receiver answered with 2xx
 * - failed: it did not, and may do so later
 * - gone: it answered 410, and the endpoint is disabled
 * - stopped: the endpoint was removed or disabled meanwhile; nothing was sent
 */
export type WebhookOutcome = 'delivered' | 'failed' | 'gone' | 'stopped';

export interface WebhookDelivery {
  readonly outcome: WebhookOutcome;
  /** HTTP status of the answer; null where there was none. */
  readonly status: number | null;
  readonly durationMs: number;
  /** Why it failed, in our own words; null when it did not. */
  readonly why: string | null;
}

/**
 * Pauses before a delivery is tried again, as the specification of Standard Webhooks proposes: 5 s, 5 min, 30 min, 2 h, 5 h,
 * 10 h, 14 h, 20 h, 24 h. Ten attempts over a little more than three days, so that a receiver may be down for a weekend.
 */
const RETRY_AFTER_MS: readonly number[] = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];

/** A pause is up to this share longer, so that what failed together does not come back together. */
const RETRY_SPREAD = 0.1;

/**
 * How long to wait after an attempt that failed; null when it was the last one.
 * @param attempt counts from 1
 * @param random from 0 to 1
 */
export function pauseAfterAttemptMs(attempt: number, random: number): number | null {
  const pauseMs = RETRY_AFTER_MS[attempt - 1];
  return pauseMs === undefined ? null : Math.round(pauseMs * (1 + random * RETRY_SPREAD));
}

/** Endpoints that one key may have: each end of a batch starts as many deliveries. */
export const MOST_WEBHOOKS_A_KEY = 20;

/** A batch ends once, so the id of its end is made of its own: whoever announces it again announces the same event. */
export function batchEventId(batchId: string): string {
  return `evt_${batchId.replace(/^batch_/, '')}`;
}

/** Workflow id of one event's delivery to one endpoint: it exists once, so nothing is delivered by two at a time. */
export function webhookWorkflowId(eventId: string, endpointId: string): string {
  return `webhook/${eventId}/${endpointId}`;
}
