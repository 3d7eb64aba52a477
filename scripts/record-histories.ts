import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { HOUSEKEEPING_ID } from '../api/temporal/housekeeping-schedule.ts';
import { readConfig } from '../core/config.ts';
import { announceWorkflowId, completionWorkflowId, chunkWorkflowId } from '../core/contracts/ids.ts';
import { providerBatchWorkflowId } from '../core/contracts/provider-run.ts';
import { batchEventId, webhookWorkflowId } from '../core/contracts/webhook.ts';
import { newBatchId } from '../core/ids.ts';
import { createLogger } from '../core/log.ts';
import { createShutdown } from '../core/shutdown.ts';
import { createBatchStore, newBatch, type BatchStore } from '../store/batches.ts';
import { connectDatabase } from '../store/database.ts';
import { startChatgptBackend } from '../test/standins/chatgpt/backend.ts';
import { startOpenaiApi } from '../test/standins/openai/api.ts';
import { startWebhookReceiver } from '../test/standins/webhook-receiver.ts';
import { createAdminHttp } from './admin-http.ts';
import { startEmbedded } from './embedded.ts';
import { createOpenaiHttp } from './openai-http.ts';

/**
 * Records real histories of every workflow for the replay tests: completions that are answered, fall back and wait, batches on
 * an account that runs out, a part of one at a provider, some that are cancelled, a webhook, an announcement by the sweep, a round of the housekeeping. Run it after a workflow was changed on purpose, under a new version name; histories of
 * earlier versions stay as long as such runs may still be under way.
 */
const version = process.argv[2];
if (version === undefined || !/^v\d+$/.test(version)) {
  console.error('Name the version of the workflows, as in: node dist/scripts/record-histories.js v1');
  process.exit(1);
}
const MODEL = 'gpt-5.5';
const FOLDER = join('test', 'replay', 'histories');

const dataDir = await mkdtemp(resolve('.flatlane-test-'));
const log = createLogger('error', 'flatlane-record');
const shutdown = createShutdown(log);
shutdown.add('data folder', 5_000, () => rm(dataDir, { recursive: true, force: true }));
try {
  const chatgpt = await startChatgptBackend({ accounts: { home: {} } });
  shutdown.add('stand-in ChatGPT backend', 5_000, () => chatgpt.close());
  const openai = await startOpenaiApi({});
  shutdown.add('stand-in OpenAI API', 5_000, () => openai.close());
  const base = readConfig({ FLATLANE_DATA: dataDir, FLATLANE_PORT: '0', FLATLANE_ADMIN_PORT: '0' });
  const flatlane = await startEmbedded({
    config: {
      ...base,
      FLATLANE_CODEX_ENV: { ...chatgpt.codexEnvironment },
      FLATLANE_CODEX_CONFIG: [...chatgpt.codexConfig],
    },
    log,
    shutdown,
    onProgress: () => undefined,
  });
  const key = flatlane.adminKey?.secret ?? '';
  const admin = createAdminHttp(flatlane.adminUrl, key);
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  const keyLane = await admin.addKeyLane({ alias: 'key', baseUrl: openai.url, apiKey: openai.key });
  await admin.setRoute(MODEL, [home.id, keyLane]);
  const receiver = await startWebhookReceiver();
  shutdown.add('receiver of webhooks', 5_000, () => receiver.close());
  const api = createOpenaiHttp(`${flatlane.url}/v1`, key);

  const connection = await Connection.connect({ address: flatlane.stack.temporal.address });
  shutdown.add('connection', 5_000, () => connection.close());
  const client = new Client({ connection });
  await mkdir(FOLDER, { recursive: true });
  const record = async (workflowId: string, name: string): Promise<void> => {
    await client.workflow
      .getHandle(workflowId)
      .result()
      .catch((cause: unknown) => {
        // A chunk that was cancelled.
        if (!(cause instanceof WorkflowFailedError)) throw cause;
      });
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    await writeFile(join(FOLDER, `${version}-${name}.json`), `${historyToJSON(history)}\n`);
    console.log(`${name}: ${history.events?.length ?? 0} events`);
  };
  const ask = async (
    content: string,
    headers: Record<string, string> = {},
    given: Record<string, unknown> = {},
  ): Promise<string> => {
    await api.post('/chat/completions', { model: MODEL, messages: [{ role: 'user', content }], ...given }, headers);
    const { data } = await admin.call<{ data: { id: string }[] }>('GET', '/admin/logs?limit=1');
    return completionWorkflowId(data[0]?.id ?? '');
  };

  await record(await ask('hello'), 'completion-answered');
  // Twice by us, and once more each time by the CLI itself.
  chatgpt.script('home', { failNext: Array<string>(4).fill('status:500') });
  await record(await ask('hello again'), 'completion-falls-back');
  // Out for longer than between two looks, while the other lane is open and can't serve it.
  openai.script({ failNext: ['status:429'] });
  const patient = await ask('[[retry-after:17]]', { 'x-flatlane-wait': '60' }, { logprobs: true });
  await record(patient, 'completion-waits-beside-unable-lane');
  const lines = Array.from({ length: 30 }, (_, index) =>
    JSON.stringify({
      custom_id: `row-${index + 1}`,
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: MODEL, messages: [{ role: 'user', content: index === 3 ? '[[context]]' : 'Summarise this.' }] },
    }),
  );
  chatgpt.script('home', { exhaustAfter: 15 });
  const { data: keys } = await admin.call<{ data: { id: string }[] }>('GET', '/admin/keys');
  const { webhook } = await admin.call<{ webhook: { id: string } }>('POST', '/admin/webhooks', {
    keyId: keys[0]?.id,
    url: receiver.url,
    allowPrivateAddresses: true,
  });
  // Tried once more after five seconds.
  receiver.answer(503, 204);
  const { id } = await api.startBatch(lines, 'lines.jsonl');
  await api.waitForBatch(id, () => undefined);
  await record(id, 'batch-completed');
  await record(chunkWorkflowId(id, 0), 'chunk-account-runs-out');
  await record(webhookWorkflowId(batchEventId(id), webhook.id), 'webhook-second-attempt');
  await record(await keepHouse(client), 'housekeeping-round');

  // One that ended while nobody was there to announce it: the sweep has that done.
  const database = await connectDatabase(flatlane.stack.mongodb.address, base.MONGODB_DATABASE);
  shutdown.add('database', 5_000, () => database.close());
  const lost = await endUnannounced(createBatchStore(database.db), keys[0]?.id ?? '');
  await recordWhenThere(client, announceWorkflowId(lost), () => record(announceWorkflowId(lost), 'announcement'));

  // A caller who waits for the window, which opens again in a few seconds.
  await admin.setRoute(MODEL, [home.id]);
  chatgpt.resetWindow('home');
  chatgpt.script('home', { exhaustAfter: 1, resetsInSeconds: 5 });
  await admin.call('POST', `/admin/accounts/${home.id}/check`);
  await ask('The last one for now');
  await record(await ask('I can wait', { 'x-flatlane-wait': '60' }), 'completion-waits');

  // Three chunks begin and wait for a plan that is out for most of the time that there is; the fourth goes to the provider.
  const { lane: batchLane } = await admin.call<{ lane: { id: string } }>('POST', '/admin/key-lanes', {
    alias: 'half',
    baseUrl: openai.url,
    apiKey: openai.key,
    allowPrivateAddresses: true,
    batchPriceShare: 0.5,
  });
  await admin.setRoute(MODEL, [home.id, batchLane.id]);
  chatgpt.script('home', { exhaustAfter: 5, resetsInSeconds: 20 * 3_600 });
  const long = Array.from({ length: 755 }, (_, index) =>
    JSON.stringify({
      custom_id: `row-${index + 1}`,
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: MODEL, messages: [{ role: 'user', content: 'Summarise this.' }] },
    }),
  );
  const waiting = await api.startBatch(long, 'long.jsonl', 'late');
  const firstRun = providerBatchWorkflowId({ batchId: waiting.id, number: 1, firstChunk: 3 });
  await recordWhenThere(client, firstRun, () => record(firstRun, 'provider-batch'));
  await api.post(`/batches/${waiting.id}/control`, { spill: 'now' });
  await api.waitForBatch(waiting.id, () => undefined);
  await record(waiting.id, 'batch-partly-at-provider');
  await record(chunkWorkflowId(waiting.id, 0), 'chunk-waits-and-spills');

  // Lines that failed in passing on their one lane, and are kept for a while.
  await admin.setRoute(MODEL, [keyLane]);
  openai.script({ failNext: Array<string>(12).fill('status:500') });
  const cancelled = await api.startBatch(long.slice(0, 2), 'cancelled.jsonl');
  await sleep(4_000);
  await api.post(`/batches/${cancelled.id}/cancel`, {});
  await api.waitForBatch(cancelled.id, () => undefined);
  await record(chunkWorkflowId(cancelled.id, 0), 'chunk-cancelled');
  await record(cancelled.id, 'batch-cancelled');

  // Lines that are on their way for the first time.
  openai.script({ delayMs: 60_000 });
  const cut = await api.startBatch(long.slice(0, 2), 'cut.jsonl');
  await sleep(4_000);
  await api.post(`/batches/${cut.id}/cancel`, {});
  await api.waitForBatch(cut.id, () => undefined);
  await record(chunkWorkflowId(cut.id, 0), 'chunk-cut-off');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await shutdown.run();
}

/** Waits until a workflow has begun. */
async function recordWhenThere(client: Client, workflowId: string, then: () => Promise<void>): Promise<void> {
  for (;;) {
    const isThere = await client.workflow
      .getHandle(workflowId)
      .describe()
      .then(
        () => true,
        () => false,
      );
    if (isThere) return then();
    await sleep(200);
  }
}

/** A batch as it stands when its workflow was lost right after its end, a minute ago. Gives its id. */
async function endUnannounced(batches: BatchStore, ownerId: string): Promise<string> {
  const endedAt = Date.now() - 60_000;
  const { _id } = await batches.insert(
    newBatch({
      _id: newBatchId(),
      ownerId,
      endpoint: '/v1/chat/completions',
      inputFileId: 'file-none',
      completionWindow: '24h',
      createdAt: endedAt,
      expiresAt: endedAt,
      metadata: null,
      outputExpiresAfterSeconds: null,
    }),
  );
  await batches.transition(_id, 'expired', endedAt);
  return _id;
}

/** Has the schedule of the housekeeping start a round now, and gives the id of its workflow. */
async function keepHouse({ schedule }: Client): Promise<string> {
  const handle = schedule.getHandle(HOUSEKEEPING_ID);
  await handle.trigger();
  for (;;) {
    const round = (await handle.describe()).info.recentActions.at(-1)?.action.workflow.workflowId;
    if (round !== undefined) return round;
    await sleep(100);
  }
}
