import { Option, type Command } from 'commander';
import { BATCH_PRIORITIES } from '../../core/contracts/batch-control.ts';
import { batchAnswer, batchList, controlAnswer, progressAnswer, type Batch } from '../api-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { batchPath, createConnectApi } from '../connect-api.ts';
import { batchErrorNotes, failedLineNotes } from '../end-notes.ts';
import { formatText, formatTime } from '../format-values.ts';
import { parseCount } from '../parse-arguments.ts';
import { laneTable, progressLine } from '../progress-text.ts';
import { formatTable, printable } from '../table.ts';
import { registerBatchQuote } from './batch-quote.ts';
import { registerBatchFlow } from './batches-flow.ts';

/** `flatlane batches …`: what an app can do with batches, with a key of the public API. */
export function registerBatches(program: Command, context: CliContext): void {
  const connect = createConnectApi(context.io);
  const batches = program
    .command('batches')
    .description('list the batches of a key, the newest first; each key sees its own alone')
    .addOption(
      new Option('--base-url <url>', 'address of the API, with /v1')
        .env('FLATLANE_BASE_URL')
        .default('http://127.0.0.1:8484/v1'),
    )
    .addOption(
      new Option('--api-key <key>', 'key of the API, better given by its variable; without one, the admin key').env(
        'FLATLANE_API_KEY',
      ),
    )
    .option('--limit <n>', 'batches at most', parseCount, 20)
    .action(async ({ limit }: { limit: number }, command: Command) => {
      const found = await connect(command).request('GET', `/batches?limit=${Math.min(limit, 100)}`, batchList);
      context.show(command, found, () =>
        formatTable(
          ['id', 'status', 'model', 'total', 'completed', 'failed', 'created'],
          found.data.map(({ id, status, model, request_counts: counts, created_at }) => [
            id,
            status,
            formatText(model),
            String(counts.total),
            String(counts.completed),
            String(counts.failed),
            formatTime(created_at * 1000),
          ]),
          'No batches yet. Make one with: flatlane batches create <file>',
        ),
      );
    });

  batches
    .command('show')
    .description('show a batch: how far it is, by which lanes, and what it cost')
    .argument('<id>', 'as in `flatlane batches`')
    .action(async (id: string, _options: unknown, command: Command) => {
      const client = connect(command);
      const batch = await client.request('GET', batchPath(id), batchAnswer);
      const progress = await client.request('GET', batchPath(id, '/progress'), progressAnswer);
      const notes = context.wantsJson(command) ? [] : await failedLineNotes(client, progress);
      context.show(command, { batch, progress }, () =>
        [progressLine(progress), ...details(batch), laneTable(progress), ...notes].join('\n'),
      );
    });

  registerBatchQuote(batches, context, connect);
  registerBatchFlow(batches, context, connect);

  batches
    .command('cancel')
    .description('end a batch early; what is answered by then is kept')
    .argument('<id>', 'as in `flatlane batches`')
    .action(async (id: string, _options: unknown, command: Command) => {
      const batch = await connect(command).request('POST', batchPath(id, '/cancel'), batchAnswer);
      context.show(command, batch, () => `Batch ${id} is ${batch.status}.`);
    });

  for (const verb of ['pause', 'resume'] as const) {
    batches
      .command(verb)
      .description(verb === 'pause' ? 'send out nothing new until it is resumed' : 'go on with a paused batch')
      .argument('<id>', 'as in `flatlane batches`')
      .action(async (id: string, _options: unknown, command: Command) => {
        const control = await connect(command).request('POST', batchPath(id, `/${verb}`), controlAnswer);
        context.show(command, control, () => `Batch ${id} ${control.paused ? 'is paused' : 'goes on'}.`);
      });
  }

  batches
    .command('priority')
    .description('say which batch goes first where several wait for one lane')
    .argument('<id>', 'as in `flatlane batches`')
    .argument('<priority>', BATCH_PRIORITIES.join(', '))
    .action(async (id: string, priority: string, _options: unknown, command: Command) => {
      const control = await connect(command).request('POST', batchPath(id, '/control'), controlAnswer, { priority });
      context.show(command, control, () => `Priority of batch ${id}: ${control.priority}.`);
    });
}

function details(batch: Batch): string[] {
  const { id, endpoint, input_file_id, output_file_id, error_file_id, expires_at } = batch;
  const about = [
    `batch ${id} for ${endpoint}, expires ${formatTime(expires_at === null || expires_at === undefined ? null : expires_at * 1000)}`,
    `files: input ${input_file_id}, output ${formatText(output_file_id)}, errors ${formatText(error_file_id)}`,
  ];
  return [...about.map(printable), ...batchErrorNotes(batch)];
}
