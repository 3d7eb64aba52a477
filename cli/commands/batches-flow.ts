import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Option, type Command } from 'commander';
import { BATCH_PRIORITIES, BATCH_SPILLS } from '../../core/contracts/batch-control.ts';
import { splitLines } from '../../core/wire/line-splitter.ts';
import { batchAnswer, type Batch } from '../api-shapes.ts';
import type { ApiClient } from '../api-client.ts';
import { LostAnswer } from '../ask-again.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { batchPath, type ConnectApi } from '../connect-api.ts';
import { batchErrorNotes, failedLineNotes } from '../end-notes.ts';
import { followBatch } from '../follow-batch.ts';
import { inputFileId } from '../input-file.ts';
import { gatherPair } from '../parse-arguments.ts';
import { laneTable } from '../progress-text.ts';
import { promptTemplate } from '../prompt-template.ts';
import { readTemplate } from '../read-template.ts';

interface CreateOptions {
  readonly endpoint: string;
  readonly window: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly spill?: string;
  readonly priority?: string;
  readonly maxUsd?: string;
  readonly template?: string;
  readonly model?: string;
  readonly prompt?: string;
  readonly wait?: boolean;
}

interface RetryOptions {
  readonly only?: string[];
  readonly lanes?: string[];
  readonly window?: string;
  readonly wait?: boolean;
}

/** What begins a batch, follows it and brings its results. */
export function registerBatchFlow(batches: Command, context: CliContext, connect: ConnectApi): void {
  const { io } = context;

  /** Follows a batch to its end. @throws CliError when it did not complete, so that scripts see it */
  const follow = async (client: ApiClient, command: Command, batchId: string): Promise<void> => {
    const last = await followBatch(client, io, batchId);
    context.show(command, last, () => laneTable(last));
    if (last.status === 'failed') {
      for (const note of batchErrorNotes(await client.request('GET', batchPath(batchId), batchAnswer))) io.err(note);
    }
    for (const note of await failedLineNotes(client, last)) io.err(note);
    if (last.status !== 'completed') throw new CliError(`Batch ${batchId} is ${last.status}.`);
  };
  const began = async (client: ApiClient, command: Command, batch: Batch, wait: boolean): Promise<void> => {
    if (!wait) return context.show(command, batch, () => batch.id);
    io.err(`Batch ${batch.id}`);
    await follow(client, command, batch.id);
  };

  batches
    .command('create')
    .description('upload a file and make a batch of its lines')
    .argument(
      '<file>',
      'JSON lines, as OpenAI has them; or CSV or plain JSON lines with --template or --prompt; or a file’s id',
    )
    .option('--endpoint <path>', 'what the lines are for', '/v1/chat/completions')
    .option('--window <hours>', 'what is not served by then expires', '24h')
    .option('--metadata <name=value>', 'kept with the batch; may be repeated', gatherPair)
    .addOption(
      new Option(
        '--spill <when>',
        'when lines go to lanes that cost money: as late as the window allows, or now',
      ).choices(BATCH_SPILLS),
    )
    .addOption(new Option('--priority <priority>', 'against other batches').choices(BATCH_PRIORITIES))
    .option('--max-usd <dollars>', 'what the batch may cost at most, as 2.50')
    .addOption(new Option('--template <file>', 'JSON: what request each row makes').conflicts(['model', 'prompt']))
    .option('--model <model>', 'with --prompt: whom each row is sent to')
    .option('--prompt <text>', "what each row asks, as 'Translate: {{text}}' for a column named text")
    .option('--wait', 'show the progress until it is over')
    .action(async (path: string, options: CreateOptions, command: Command) => {
      const client = connect(command);
      const template = options.template === undefined ? promptTemplate(options) : await readTemplate(options.template);
      const metadata = {
        ...options.metadata,
        ...(options.spill === undefined ? {} : { flatlane_spill: options.spill }),
        ...(options.priority === undefined ? {} : { flatlane_priority: options.priority }),
        ...(options.maxUsd === undefined ? {} : { max_metered_usd: options.maxUsd }),
      };
      const wish = {
        input_file_id: await inputFileId(client, path),
        endpoint: options.endpoint,
        completion_window: options.window,
        ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
        ...(template === undefined ? {} : { template }),
      };
      const batch = await made(client.request('POST', '/batches', batchAnswer, wish, randomUUID()));
      await began(client, command, batch, options.wait === true);
    });

  batches
    .command('watch')
    .description('show the progress of a batch until it is over')
    .argument('<id>', 'as in `flatlane batches`')
    .action((id: string, _options: unknown, command: Command) => follow(connect(command), command, id));

  batches
    .command('results')
    .description('bring the results, of a batch that runs those so far')
    .argument('<id>', 'as in `flatlane batches`')
    .option('-o, --output <file>', 'into this file instead of standard output')
    .option('--csv', 'as a table, with the columns of the input')
    .addOption(new Option('--kind <kind>', 'these alone').choices(['completed', 'failed']))
    .action(async (id: string, options: { output?: string; csv?: boolean; kind?: string }, command: Command) => {
      const query = new URLSearchParams();
      if (options.csv === true) query.set('format', 'csv');
      if (options.kind !== undefined) query.set('kind', options.kind);
      const rest = query.size === 0 ? '/results' : `/results?${query.toString()}`;
      const { body } = await connect(command).open(batchPath(id, rest), '*/*');
      try {
        await bring(context, body ?? new Blob([]).stream(), options.output);
      } catch (error) {
        if (io.interrupted.aborted) throw error;
        if (error instanceof Error && 'syscall' in error && error.syscall === 'open') {
          throw new CliError(`The file '${options.output ?? ''}' can't be written.`);
        }
        throw new CliError(`The results broke off: ${error instanceof Error ? error.message : 'unknown'}`);
      }
    });

  batches
    .command('retry')
    .description('make a new batch of the lines that have no answer')
    .argument('<id>', 'as in `flatlane batches`')
    .option('--only <reasons>', 'failed, expired, cancelled; separated by commas', splitNames)
    .option('--lanes <lanes>', 'use these lanes alone, by alias; separated by commas', splitNames)
    .option('--window <hours>', 'what is not served by then expires; as it was before unless given')
    .option('--wait', 'show the progress until it is over')
    .action(async (id: string, { only, lanes, window, wait }: RetryOptions, command: Command) => {
      const client = connect(command);
      const wish = {
        ...(only === undefined ? {} : { only }),
        ...(lanes === undefined ? {} : { lanes }),
        ...(window === undefined ? {} : { completion_window: window }),
      };
      // The path takes no idempotency key.
      const batch = await made(client.request('POST', batchPath(id, '/retry'), batchAnswer, wish));
      await began(client, command, batch, wait === true);
    });
}

/**
 * The batch that a request makes.
 * @throws CliError that says how to see whether it was made, where nobody knows: a second one would be paid for as well
 */
async function made(request: Promise<Batch>): Promise<Batch> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof LostAnswer)) throw error;
    const { message, exitCode } = error;
    throw new CliError(
      `${message} The batch may be there all the same; before you make it again, see: flatlane batches`,
      exitCode,
    );
  }
}

/** Streams into a file, or line by line to standard output. */
async function bring({ io }: CliContext, body: ReadableStream<Uint8Array>, output: string | undefined): Promise<void> {
  if (output === undefined) {
    for await (const { bytes } of splitLines(body)) {
      if (bytes === null) throw new Error('a line is too long for standard output; use --output');
      io.out(bytes.toString('utf8'));
    }
    return;
  }
  await pipeline(Readable.from(body), createWriteStream(output), { signal: io.interrupted });
}

function splitNames(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
