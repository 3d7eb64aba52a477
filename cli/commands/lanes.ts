import type { Command } from 'commander';
import { anyAnswer, laneAnswer, laneList } from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { findLane } from '../find-lane.ts';
import { formatList, formatText, formatTime } from '../format-values.ts';
import { parseCount } from '../parse-arguments.ts';
import { formatTable } from '../table.ts';

interface AddKeyOptions {
  readonly alias: string;
  readonly baseUrl: string;
  readonly keyEnv?: string;
  readonly model?: string[];
  readonly allowPrivate?: boolean;
  readonly concurrency?: number;
}

export function registerLanes(program: Command, context: CliContext): void {
  const lanes = program
    .command('lanes')
    .description('list all lanes: accounts and API keys')
    .action(async (_options: unknown, command: Command) => {
      const client = await context.connect(command);
      const found = await client.request('GET', '/admin/lanes', laneList);
      context.show(command, found, () =>
        formatTable(
          ['alias', 'kind', 'state', 'models', 'address', 'cooling until', 'at a time', 'id', 'why'],
          found.data.map((lane) => [
            lane.alias,
            lane.kind,
            lane.state,
            formatList(lane.models),
            formatText(lane.baseUrl),
            formatTime(lane.coolingUntil),
            String(lane.concurrency),
            lane.id,
            formatText(lane.why),
          ]),
          'No lanes yet. Add one with: flatlane login, or flatlane lanes add-key',
        ),
      );
    });

  lanes
    .command('add-key')
    .description(
      'add a lane over an API key at OpenAI or any OpenAI-compatible address; the key is read from standard input',
    )
    .requiredOption('--alias <alias>', 'short name of the lane')
    .requiredOption('--base-url <url>', 'address of the API, as https://api.openai.com/v1')
    .option('--key-env <name>', 'read the key from this environment variable instead')
    .option('--model <model...>', 'models that the lane has; all by default')
    .option('--allow-private', 'allow an address in a private network')
    .option('--concurrency <n>', 'requests at a time', parseCount)
    .action(async (options: AddKeyOptions, command: Command) => {
      const client = await context.connect(command);
      const { lane } = await client.request('POST', '/admin/key-lanes', laneAnswer, {
        alias: options.alias,
        baseUrl: options.baseUrl,
        apiKey: await readApiKey(context, options.keyEnv),
        ...(options.model === undefined ? {} : { models: options.model }),
        ...(options.allowPrivate === true ? { allowPrivateAddresses: true } : {}),
        ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      });
      context.show(command, { lane }, () => `Added lane '${lane.alias}' (${lane.id}).`);
    });

  lanes
    .command('remove')
    .description('remove a lane; an account stays signed in on its machine')
    .argument('<lane>', 'alias or id')
    .action(async (aliasOrId: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const { id, alias } = await findLane(client, aliasOrId);
      const answer = await client.request('DELETE', `/admin/lanes/${encodeURIComponent(id)}`, anyAnswer);
      context.show(command, answer, () => `Removed lane '${alias}'.`);
    });
}

/** A key on the command line would be seen by every process of the machine and kept in the shell's history. */
async function readApiKey({ io }: CliContext, keyEnv: string | undefined): Promise<string> {
  if (keyEnv !== undefined) {
    const key = io.readEnvironment(keyEnv)?.trim() ?? '';
    if (key === '') throw new CliError(`The environment variable ${keyEnv} is empty or not set.`);
    return key;
  }
  const key = (await io.readSecret('API key (not shown): ')).trim();
  if (key === '' || /\s/.test(key)) {
    throw new CliError('No key came on standard input. Pipe it in, or name its variable with --key-env.');
  }
  return key;
}
