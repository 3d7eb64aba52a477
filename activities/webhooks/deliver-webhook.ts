import type { Clock } from '../../core/clock.ts';
import type { DeliverWebhookInput, WebhookDelivery } from '../../core/contracts/webhook.ts';
import type { Logger } from '../../core/log.ts';
import type { SecretBox } from '../../core/secret-box.ts';
import { webhookBody, webhookHeaders } from '../../core/wire/webhook-event.ts';
import type { PostedWebhook, WebhookPoster } from '../../lanes/webhooks/post-webhook.ts';
import { webhookSecretPlace, type WebhookAttempt, type WebhookDoc, type WebhookStore } from '../../store/webhooks.ts';

export interface DeliverWebhookDeps {
  readonly webhooks: Pick<WebhookStore, 'find' | 'record' | 'disable'>;
  readonly secretBox: Pick<SecretBox, 'open'>;
  readonly poster: Pick<WebhookPoster, 'post'>;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn'>;
  /** Aborted when the worker stops. */
  readonly signal: () => AbortSignal;
}

const GONE = 410;

/**
 * The activity that sends an event to one endpoint, once. What the receiver says is an outcome and no error; it throws only when
 * the database is away or the worker stops, and then it is run again: the same event, under the same id, by which receivers know
 * it. Address, secret and state are read anew each time, so that a change of the owner's counts at once.
 */
export function createDeliverWebhook(deps: DeliverWebhookDeps) {
  const { webhooks, poster, clock, log } = deps;

  const send = async (webhook: WebhookDoc, { event }: DeliverWebhookInput, at: number): Promise<PostedWebhook> => {
    const { _id: endpointId, url, allowPrivateAddresses } = webhook;
    const secrets = openSecrets(deps, webhook, at);
    if (secrets === null) {
      log.warn({ endpointId }, 'the secret of a webhook was sealed with another master key');
      return { answered: false, why: 'its secret was sealed with another master key: rotate it' };
    }
    const body = webhookBody(event);
    const headers = webhookHeaders(event.id, body, at, secrets);
    return poster.post({ url, allowPrivateAddresses, headers, body, signal: deps.signal() });
  };

  return async function deliverWebhook(input: DeliverWebhookInput): Promise<WebhookDelivery> {
    const { endpointId, event, attempt } = input;
    const webhook = await webhooks.find(endpointId);
    if (webhook === null || !webhook.enabled) {
      return { outcome: 'stopped', status: null, durationMs: 0, why: 'the webhook was removed or disabled' };
    }
    const at = clock.now();
    const began = performance.now();
    const told = toldBy(await send(webhook, input, at));
    const delivery = { ...told, durationMs: Math.round(performance.now() - began) };
    const { id: eventId, type, dataId } = event;
    await webhooks.record(endpointId, { eventId, type, dataId, attempt, at, ...delivery });
    if (delivery.outcome === 'gone') {
      await webhooks.disable(endpointId, webhook.url, 'the receiver answered 410 Gone');
      log.warn({ endpointId, eventId }, 'a webhook is disabled: its receiver says that it is gone');
    }
    return delivery;
  };
}

/** What an answer means: 2xx is taken in, 410 wants nothing more, and all else may be better later. */
function toldBy(posted: PostedWebhook): Pick<WebhookAttempt, 'outcome' | 'status' | 'why'> {
  if (!posted.answered) return { outcome: 'failed', status: null, why: posted.why };
  const { status } = posted;
  if (status >= 200 && status < 300) return { outcome: 'delivered', status, why: null };
  if (status === GONE) return { outcome: 'gone', status, why: 'the receiver says that it is gone' };
  const redirects = status >= 300 && status < 400;
  const why = redirects ? 'the receiver redirects, which is not followed' : `the receiver answered ${status}`;
  return { outcome: 'failed', status, why };
}

/** The secret, and the one before it while it still counts; null when they do not open. */
function openSecrets({ secretBox }: DeliverWebhookDeps, webhook: WebhookDoc, now: number): string[] | null {
  const { _id, sealedSecret, previousSecret } = webhook;
  const previous = previousSecret !== null && previousSecret.until > now ? [previousSecret.sealed] : [];
  try {
    return [sealedSecret, ...previous].map((sealed) => secretBox.open(sealed, webhookSecretPlace(_id)));
  } catch {
    return null;
  }
}
