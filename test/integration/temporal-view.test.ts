import { Client, Connection } from '@temporalio/client';
import { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOUSEKEEPING_ID } from '../../api/temporal/housekeeping-schedule.ts';
import { batchLine, isOver, lineIds, startBatch, waitForBatch } from '../support/batch-run.ts';
import { startGateway, type Gateway } from '../support/gateway.ts';

let gateway: Gateway;
let connection: Connection;
let temporal: Client;

beforeAll(async () => {
  gateway = await startGateway();
  const { admin, openai } = gateway;
  await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, models: ['gpt-5.5'] });
  const [, address = ''] = await gateway.process.waitFor(/Temporal +(127\.0\.0\.1:\d+)/);
  connection = await Connection.connect({ address });
  temporal = new Client({ connection });
});
afterAll(async () => {
  await connection.close();
  await gateway.stop();
});

async function found(query: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of temporal.workflow.list({ query })) ids.push(workflowId);
  return ids.sort();
}

describe('Temporal, as its user looks at it', () => {
  it('finds batches by their key and by how they ended', async () => {
    const [mine, theirs] = [
      await gateway.admin.createKey('mine', false),
      await gateway.admin.createKey('theirs', false),
    ];
    const lines = lineIds(5).map((id) => batchLine(id, 'gpt-5.5'));
    const [good, bad, other] = [
      await startBatch(gateway.client(mine), lines),
      await startBatch(gateway.client(mine), ['no json', ...lines].toReversed()),
      await startBatch(gateway.client(theirs), lines),
    ];
    await waitForBatch(gateway.client(mine), good.id, isOver);
    await waitForBatch(gateway.client(mine), bad.id, isOver);
    await waitForBatch(gateway.client(theirs), other.id, isOver);
    await expect.poll(() => found(`FlatlaneBatch = "${good.id}" AND FlatlaneStatus = "completed"`)).toEqual([good.id]);
    await expect.poll(() => found(`FlatlaneBatch = "${bad.id}" AND FlatlaneStatus = "failed"`)).toEqual([bad.id]);
    const { searchAttributes } = await temporal.workflow.getHandle(good.id).describe();
    const keyId = String(searchAttributes['FlatlaneKey']);
    expect(await found(`FlatlaneKey = "${keyId}"`)).toEqual([bad.id, good.id].toSorted());
  });

  it('forgets workflows a day after their end, so that its database does not grow without end', async () => {
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(24 * 3600);
  });

  it('has the housekeeping as a schedule, whose round leaves what is still open', async () => {
    const handle = temporal.schedule.getHandle(HOUSEKEEPING_ID);
    expect((await handle.describe()).spec.intervals).toMatchObject([{ every: 15 * 60_000 }]);
    const client = gateway.client();
    const upload = await client.uploads.create({
      filename: 'a.jsonl',
      purpose: 'batch',
      bytes: 2,
      mime_type: 'application/jsonl',
    });
    await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('{}'), 'part') });
    await handle.trigger();
    const rounds = () => found(`WorkflowType = "housekeepingWorkflow" AND ExecutionStatus = "Completed"`);
    await expect.poll(rounds).toHaveLength(1);
    const [round = ''] = await rounds();
    // Of an upload that is still open nothing is removed.
    expect(await temporal.workflow.getHandle(round).result()).toMatchObject({ uploads: 0, orphans: 0 });
    expect(await client.uploads.cancel(upload.id)).toMatchObject({ status: 'cancelled' });
  });
});
