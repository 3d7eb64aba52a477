import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { batchEventId, webhookWorkflowId } from '../../core/contracts/webhook.ts';
import { newBatchId } from '../../core/ids.ts';
import { newBatch } from '../../store/batches.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../standins/webhook-receiver.ts';
import { startApart, type Apart } from '../support/apart.ts';
import { batchLine, isOver, startBatch, waitForBatch } from '../support/batch-run.ts';
import { PATIENT } from '../support/patience.ts';

const MODEL = 'gpt-5.5';
/** A worker that was killed in the middle of a delivery is missed after 30 s. */
const MISSED_WITHIN_MS = 90_000;

interface Endpoint {
  readonly id: string;
  readonly secret: string;
  readonly receiver: WebhookReceiver;
}

describe('webhooks on real parts', () => {
  let apart: Apart;
  const receivers: WebhookReceiver[] = [];

  beforeAll(async () => {
    apart = await startApart({});
    const { admin, openai } = apart;
    const key = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
    await admin.setRoute(MODEL, [key]);
  });
  afterAll(async () => {
    await apart.stop();
    for (const receiver of receivers) await receiver.close();
  });

  const addEndpoint = async (): Promise<Endpoint> => {
    const receiver = await startWebhookReceiver();
    receivers.push(receiver);
    const { data } = await apart.admin.call<{ data: { id: string }[] }>('GET', '/admin/keys');
    const { webhook, secret } = await apart.admin.call<{ webhook: { id: string }; secret: string }>(
      'POST',
      '/admin/webhooks',
      { keyId: data[0]?.id, url: receiver.url, allowPrivateAddresses: true },
    );
    return { id: webhook.id, secret, receiver };
  };
  /** What the receiver got, verified by the official client, with the ids under which it came. */
  const unwrapAll = async ({ receiver, secret }: Endpoint): Promise<{ id: unknown; type: string; batch: string }[]> =>
    Promise.all(
      receiver.received.map(async ({ body, headers }) => {
        const event = await apart.openaiClient.webhooks.unwrap(body, headers, secret);
        return { id: headers['webhook-id'], type: event.type, batch: (event.data as { id: string }).id };
      }),
    );
  const runBatch = async (lines: readonly string[] = [batchLine('row-1', MODEL)]): Promise<string> => {
    const { id } = await startBatch(apart.openaiClient, lines);
    await waitForBatch(apart.openaiClient, id, isOver);
    return id;
  };
  /** All that Temporal keeps of a workflow: inputs and results of it and of its activities, as texts. */
  const payloadsOf = async (workflowId: string): Promise<string> => {
    const connection = await Connection.connect({ address: apart.temporal.address });
    try {
      const history = await new Client({ connection }).workflow.getHandle(workflowId).fetchHistory();
      const data = historyToJSON(history).matchAll(/"data":\s*"([^"]+)"/g);
      return [...data].map(([, base64 = '']) => Buffer.from(base64, 'base64').toString('utf8')).join('\n');
    } finally {
      await connection.close();
    }
  };
  const eventOf = (batchId: string, type: string) => ({ id: batchId.replace('batch_', 'evt_'), type, batch: batchId });

  it('tell of a batch that completed and of one that failed, each once', async () => {
    const endpoint = await addEndpoint();
    const completed = await runBatch();
    const failed = await runBatch(['{"custom_id":"row-1"}']);
    await vi.waitFor(() => expect(endpoint.receiver.received).toHaveLength(2), PATIENT);
    expect((await unwrapAll(endpoint)).toSorted((a, b) => a.type.localeCompare(b.type))).toEqual([
      eventOf(completed, 'batch.completed'),
      eventOf(failed, 'batch.failed'),
    ]);
    const workflowId = webhookWorkflowId(batchEventId(completed), endpoint.id);
    await vi.waitFor(async () => expect(await payloadsOf(workflowId)).toContain('"outcome":"delivered"'), PATIENT);
    const payloads = `${await payloadsOf(workflowId)}\n${await payloadsOf(completed)}`;
    expect(payloads).toContain(endpoint.id);
    expect(payloads).not.toMatch(/whsec_|token=|http:|created_at|v1,/);
    await apart.admin.call('DELETE', `/admin/webhooks/${endpoint.id}`);
  });

  it('are tested on demand, and say what came of it', async () => {
    const endpoint = await addEndpoint();
    const test = (): Promise<unknown> => apart.admin.call('POST', `/admin/webhooks/${endpoint.id}/test`, {});
    expect(await test()).toMatchObject({ outcome: 'delivered', status: 204 });
    expect(await unwrapAll(endpoint)).toMatchObject([{ type: 'batch.completed' }]);
    await endpoint.receiver.shut();
    expect(await test()).toMatchObject({ outcome: 'failed', why: 'the receiver refuses the connection' });
    await apart.admin.call('DELETE', `/admin/webhooks/${endpoint.id}`);
  });

  it('arrive when a receiver was down and is up again', async () => {
    const endpoint = await addEndpoint();
    await endpoint.receiver.shut();
    const batchId = await runBatch();
    await vi.waitFor(
      async () =>
        expect((await apart.stores.webhooks.find(endpoint.id))?.attempts).toMatchObject([
          { attempt: 1, outcome: 'failed', dataId: batchId },
        ]),
      PATIENT,
    );
    await endpoint.receiver.open();
    await vi.waitFor(() => expect(endpoint.receiver.received).toHaveLength(1), PATIENT);
    expect(await unwrapAll(endpoint)).toEqual([eventOf(batchId, 'batch.completed')]);
    await apart.admin.call('DELETE', `/admin/webhooks/${endpoint.id}`);
  });

  it('arrive when the batch’s workflow is lost between its end and the announcement, once', async () => {
    const endpoint = await addEndpoint();
    const { batches } = apart.stores;
    const { data } = await apart.admin.call<{ data: { id: string }[] }>('GET', '/admin/keys');
    // As it stands in the database then: over for a minute, with a workflow that nobody knows.
    const endedAt = Date.now() - 60_000;
    const { _id: batchId } = await batches.insert(
      newBatch({
        _id: newBatchId(),
        ownerId: data[0]?.id ?? '',
        endpoint: '/v1/chat/completions',
        inputFileId: 'file-gone',
        completionWindow: '24h',
        createdAt: endedAt,
        expiresAt: endedAt,
        metadata: null,
        outputExpiresAfterSeconds: null,
      }),
    );
    await batches.transition(batchId, 'in_progress', endedAt);
    await batches.transition(batchId, 'expired', endedAt);
    await vi.waitFor(() => expect(endpoint.receiver.received).toHaveLength(1), { timeout: 50_000, interval: 100 });
    expect(await unwrapAll(endpoint)).toEqual([eventOf(batchId, 'batch.expired')]);
    await vi.waitFor(async () => expect(await batches.find(batchId)).not.toHaveProperty('announce'), PATIENT);
    expect(await batches.find(batchId)).toMatchObject({ status: 'expired', errors: null });
    await expect(payloadsOf(batchId)).rejects.toThrow();
    expect(endpoint.receiver.received).toHaveLength(1);
    await apart.admin.call('DELETE', `/admin/webhooks/${endpoint.id}`);
  }, 90_000);

  it('arrive when the worker is killed after the end of the batch, in the middle of the delivery', async () => {
    const endpoint = await addEndpoint();
    // The first attempt gets no answer.
    endpoint.receiver.answer(() => undefined, 204);
    const batchId = await runBatch();
    await vi.waitFor(() => expect(endpoint.receiver.received).toHaveLength(1), PATIENT);
    await apart.worker().kill();
    await apart.startWorker();
    await vi.waitFor(
      async () =>
        expect((await apart.stores.webhooks.find(endpoint.id))?.attempts.at(-1)).toMatchObject({
          outcome: 'delivered',
          dataId: batchId,
        }),
      { timeout: MISSED_WITHIN_MS, interval: 100 },
    );
    // The same event, under the same id, by which the receiver knows it.
    expect(new Set((await unwrapAll(endpoint)).map(({ id }) => id))).toEqual(
      new Set([batchId.replace('batch_', 'evt_')]),
    );
  });
});
