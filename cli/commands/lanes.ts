import type { Command } from 'commander';
import { anyAnswer, laneAnswer, laneList } from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { findLane } from '../find-lane.ts';
import { readApiKey } from '../read-api-key.ts';
import { formatList, formatText, formatTime } from '../format-values.ts';
import {
  BATCH_PRICE_HELP,
  parseShare,
  gatherPair,
  gatherPrice,
  parseCount,
  type PriceArgument,
} from '../parse-arguments.ts';
import { formatTable } from '../table.ts';
import { registerLaneCare } from './lane-care.ts';

interface AddKeyOptions {
  readonly alias: string;
  readonly preset?: string;
  readonly baseUrl?: string;
  readonly keyEnv?: string;
  readonly keyless?: boolean;
  readonly authHeader?: string;
  readonly header?: Record<string, string>;
  readonly map?: Record<string, string>;
  readonly price?: Record<string, PriceArgument>;
  readonly batchPrice?: number;
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
    .option(
      '--preset <provider>',
      'openai, openrouter, anthropic, gemini, groq, deepseek, mistral, xai, together, fireworks, azure, ollama or vllm: brings address and quirks along',
    )
    .option('--base-url <url>', 'address of the API, as https://api.openai.com/v1; not needed with most presets')
    .option('--key-env <name>', 'read the key from this environment variable instead')
    .option('--keyless', 'the server needs no key: ollama, vllm')
    .option('--auth-header <name>', 'header that carries the key instead of authorization')
    .option('--header <name=value>', 'a further header; may be repeated', gatherPair)
    .option(
      '--map <asked=upstream>',
      "the provider's name of a model that callers ask for; may be repeated",
      gatherPair,
    )
    .option(
      '--price <model=in/out>',
      'dollars for a million tokens, also model=in/out/cached, and model@tier=in/out for a service tier, as priority; may be repeated',
      gatherPrice,
    )
    .option('--batch-price <share>', BATCH_PRICE_HELP, parseShare)
    .option('--model <model...>', 'models that the lane has; all by default')
    .option('--allow-private', 'allow an address in a private network')
    .option('--concurrency <n>', 'requests at a time', parseCount)
    .action(async (options: AddKeyOptions, command: Command) => {
      // Before anybody is asked for a key.
      if (options.preset === undefined && options.baseUrl === undefined) {
        throw new CliError('Say which provider it is: --preset, or --base-url with its address.');
      }
      const client = await context.connect(command);
      const { lane } = await client.request('POST', '/admin/key-lanes', laneAnswer, {
        alias: options.alias,
        ...(options.preset === undefined ? {} : { preset: options.preset }),
        ...(options.baseUrl === undefined ? {} : { baseUrl: options.baseUrl }),
        ...(options.keyless === true ? {} : { apiKey: await readApiKey(context, options.keyEnv) }),
        ...(options.authHeader === undefined ? {} : { authHeader: options.authHeader }),
        ...(options.header === undefined ? {} : { headers: options.header }),
        ...(options.map === undefined ? {} : { modelMap: options.map }),
        ...(options.price === undefined ? {} : { prices: options.price }),
        ...(options.batchPrice === undefined ? {} : { batchPriceShare: options.batchPrice }),
        ...(options.model === undefined ? {} : { models: options.model }),
        ...(options.allowPrivate === true ? { allowPrivateAddresses: true } : {}),
        ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      });
      context.show(command, { lane }, () => `Added lane '${lane.alias}' (${lane.id}).`);
    });

  registerLaneCare(lanes, context);

  lanes
    .command('remove')
    .description('remove a key lane; for an account see `flatlane accounts remove`')
    .argument('<lane>', 'alias or id')
    .action(async (aliasOrId: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const { id, alias, kind } = await findLane(client, aliasOrId);
      if (kind === 'plan')
        throw new CliError(`'${alias}' is an account. Remove it with: flatlane accounts remove ${alias}`);
      const answer = await client.request('DELETE', `/admin/lanes/${encodeURIComponent(id)}`, anyAnswer);
      context.show(command, answer, () => `Removed lane '${alias}'.`);
    });
}
