import { readConfig } from '../core/config.ts';
import { createLogger } from '../core/log.ts';
import { createShutdown } from '../core/shutdown.ts';
import { stopOnSignals } from '../core/signals.ts';
import { emptyDataFolder } from '../stack/empty-data-folder.ts';
import { startChatgptBackend } from '../test/standins/chatgpt/backend.ts';
import { startOpenaiApi } from '../test/standins/openai/api.ts';
import { createAdminHttp } from './admin-http.ts';
import { checkBatch } from './check-batch.ts';
import { showLanes, showLog, showOutcome } from './demo-tables.ts';
import { startEmbedded } from './embedded.ts';
import { createOpenaiHttp } from './openai-http.ts';
import { createProgressLine } from './progress-line.ts';

/**
 * `npm run demo`: the main job on real parts. Two Codex CLI accounts on a stand-in ChatGPT backend and a key lane on a
 * stand-in API serve a batch; the first account runs out on the way, then the second, and the key lane finishes.
 */
const DATA_DIR = '.flatlane-demo';
const MODEL = 'gpt-5.5';
const LINES = 400;
/** Calls after which each account's five-hour window is used up. */
const HOME_SERVES = 150;
const WORK_SERVES = 150;
const RESULTS_SHOWN = 2;
const NAMESPACE = 'default';

const config = readConfig({ FLATLANE_DATA: DATA_DIR, FLATLANE_LOG_LEVEL: 'error' });
const log = createLogger(config.FLATLANE_LOG_LEVEL, 'flatlane-demo');
const shutdown = createShutdown(log);
stopOnSignals(shutdown);

try {
  await emptyDataFolder(config.FLATLANE_DATA, log);
  const chatgpt = await startChatgptBackend({
    accounts: { home: { exhaustAfter: HOME_SERVES }, work: { exhaustAfter: WORK_SERVES } },
    keepBodies: false,
  });
  shutdown.add('stand-in ChatGPT backend', 5_000, () => chatgpt.close());
  const openai = await startOpenaiApi({ keepBodies: false });
  shutdown.add('stand-in OpenAI API', 5_000, () => openai.close());

  console.log('Starting Temporal, MongoDB, the api and a worker …');
  const flatlane = await startEmbedded({
    config: {
      ...config,
      // Servers of its own: lanes on stand-ins have no place among the owner's, nor has what a demo leaves behind.
      MONGODB_URI: undefined,
      TEMPORAL_ADDRESS: undefined,
      TEMPORAL_NAMESPACE: NAMESPACE,
      TEMPORAL_API_KEY: undefined,
      TEMPORAL_TLS: undefined,
      FLATLANE_CODEX_ENV: { ...chatgpt.codexEnvironment },
      FLATLANE_CODEX_CONFIG: [...chatgpt.codexConfig],
    },
    log,
    shutdown,
    onProgress: (line) => console.log(line),
  });
  const adminKey = flatlane.adminKey?.secret ?? '';
  const admin = createAdminHttp(flatlane.adminUrl, adminKey);

  console.log('Signing two Codex CLI accounts in by device code, and adding a key lane …');
  const home = await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  const work = await admin.addAccount('work', (code) => chatgpt.approve(code, 'work'));
  const keyLane = await admin.addKeyLane({ alias: 'openai-key', baseUrl: openai.url, apiKey: openai.key });
  await admin.setRoute(MODEL, [home.id, work.id, keyLane]);
  const appKey = await admin.createKey('demo app', true);
  const api = createOpenaiHttp(`${flatlane.url}/v1`, appKey);

  const answer = await api.post<{ choices: { message: { content: string } }[] }>('/chat/completions', {
    model: MODEL,
    messages: [{ role: 'user', content: 'Hello from the demo.' }],
  });
  console.log(`One completion on account home: "${answer.choices[0]?.message.content}"\n`);

  const customIds = Array.from({ length: LINES }, (_, index) => `row-${index + 1}`);
  const startedAt = performance.now();
  const batch = await api.startBatch(
    customIds.map((id) =>
      JSON.stringify({
        custom_id: id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: MODEL, messages: [{ role: 'user', content: `Summarise this row. id=${id}` }] },
      }),
    ),
    'demo.jsonl',
  );
  console.log(
    `Batch ${batch.id} with ${LINES} lines: home serves ${HOME_SERVES - 1} more, work ${WORK_SERVES}, then the key lane.`,
  );
  const progress = createProgressLine(process.stdout);
  const done = await api.waitForBatch(batch.id, ({ status, request_counts: { completed, failed, total } }) => {
    progress.show(completed + failed, total, status);
  });
  progress.end();

  const output = await api.resultLines(done.output_file_id);
  const errors = await api.resultLines(done.error_file_id);
  const seconds = (performance.now() - startedAt) / 1000;
  const aliases = new Map([
    [home.id, 'home (plan)'],
    [work.id, 'work (plan)'],
    [keyLane, 'openai-key (key)'],
  ]);
  const totals = await admin.lanesOfBatch(batch.id);
  const byMarker = { ...chatgpt.counts().byMarker };
  for (const [marker, seen] of Object.entries(openai.counts().byMarker)) {
    const before = byMarker[marker] ?? { calls: 0, answered: 0 };
    byMarker[marker] = { calls: before.calls + seen.calls, answered: before.answered + seen.answered };
  }
  const calls = Object.values(byMarker).reduce((sum, seen) => sum + seen.calls, 0);
  console.log(`\n${showLanes(totals, aliases)}\n`);
  console.log(showOutcome(checkBatch(customIds, output, errors), totals, calls, seconds));
  console.log(`\nFrom the lane log\n\n${showLog(await admin.logOfBatch(batch.id), aliases)}\n`);
  console.log(`The first results\n\n${output.slice(0, RESULTS_SHOWN).join('\n')}`);
  const { temporal } = flatlane.stack;
  console.log(`
Lane log       curl -H "authorization: Bearer ${adminKey}" "${flatlane.adminUrl}/admin/logs?batch=${batch.id}&limit=3"
API            ${flatlane.url}/v1   key ${appKey}
Admin          ${flatlane.adminUrl}   key ${adminKey}
Temporal UI    ${temporal.uiUrl}/namespaces/${NAMESPACE}/workflows/${batch.id}

Everything stays up for a look. Ctrl-C stops it.`);
} catch (error) {
  console.error(`The demo could not go on: ${error instanceof Error ? error.message : String(error)}`);
  await shutdown.run();
  process.exit(1);
}
