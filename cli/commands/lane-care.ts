import type { Command } from 'commander';
import { laneAnswer } from '../admin-shapes.ts';
import type { AdminClient } from '../admin-client.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { findLane } from '../find-lane.ts';
import {
  BATCH_PRICE_HELP,
  parseShare,
  gatherPair,
  gatherPrice,
  parseCount,
  type PriceArgument,
} from '../parse-arguments.ts';
import { readApiKey } from '../read-api-key.ts';

interface EditOptions {
  readonly alias?: string;
  readonly baseUrl?: string;
  readonly key?: boolean;
  readonly keyEnv?: string;
  readonly authHeader?: string;
  /** false: none any more. */
  readonly header?: Record<string, string> | false;
  readonly map?: Record<string, string> | false;
  readonly price?: Record<string, PriceArgument> | false;
  readonly batchPrice?: number | false;
  readonly model?: string[];
  readonly allowPrivate?: boolean;
  readonly concurrency?: number;
  readonly rank?: number;
}

/** `flatlane lanes …`: what an owner does with a key lane that is there. */
export function registerLaneCare(lanes: Command, context: CliContext): void {
  const command = (name: string, description: string): Command =>
    lanes.command(name).description(description).argument('<lane>', 'alias or id of a key lane');

  command('edit', 'change a key lane; it takes effect within a second, and what is under way ends as it began')
    .option('--alias <alias>', 'another short name')
    .option('--base-url <url>', 'another address; at another host the key must be given as well')
    .option('--key', 'another key, read from standard input')
    .option('--key-env <name>', 'another key, read from this environment variable')
    .option('--auth-header <name>', 'header that carries the key')
    .option('--header <name=value>', 'all further headers; may be repeated', gatherPair)
    .option('--no-header', 'no further headers')
    .option('--map <asked=upstream>', "all of the provider's own names of models; may be repeated", gatherPair)
    .option('--no-map', 'no names of its own')
    .option('--price <model=in/out>', 'all own prices, as for add-key; may be repeated', gatherPrice)
    .option('--no-price', 'no prices of its own')
    .option('--batch-price <share>', BATCH_PRICE_HELP, parseShare)
    .option('--no-batch-price', "don't use the provider's Batch API")
    .option('--model <model...>', "all models that the lane has; '*' for any")
    .option('--allow-private', 'allow an address in a private network')
    .option('--no-allow-private', 'allow public addresses only')
    .option('--concurrency <n>', 'requests at a time', parseCount)
    .option('--rank <n>', 'place among key lanes, smaller first; lanes of one rank share', parseCount)
    .action(async (aliasOrId: string, options: EditOptions, on: Command) => {
      const isKeyGiven = options.key === true || options.keyEnv !== undefined;
      const changes = { ...changesOf(options), ...(isKeyGiven ? { apiKey: '' } : {}) };
      if (Object.keys(changes).length === 0) {
        throw new CliError('Say what to change; `flatlane lanes edit --help` lists what there is.');
      }
      const { client, path } = await connect(context, on, aliasOrId);
      const body = isKeyGiven ? { ...changes, apiKey: await readApiKey(context, options.keyEnv) } : changes;
      const answer = await client.request('PATCH', path, laneAnswer, body);
      context.show(on, answer, () => `Changed lane '${answer.lane.alias}'.`);
    });

  const hold = (name: string, description: string, done: string): Command =>
    command(name, description).action(async (aliasOrId: string, _options: unknown, on: Command) => {
      const { client, path, alias } = await connect(context, on, aliasOrId);
      const answer = await client.request('POST', `${path}/${name}`, laneAnswer);
      context.show(on, answer, () => `${done} '${alias}'.`);
    });
  hold('pause', 'take nothing new; what is under way is finished', 'Paused');
  hold('resume', 'take requests again', 'Resumed');
}

async function connect(
  context: CliContext,
  on: Command,
  aliasOrId: string,
): Promise<{ client: AdminClient; path: string; alias: string }> {
  const client = await context.connect(on);
  const { id, alias, kind } = await findLane(client, aliasOrId);
  if (kind === 'plan') throw new CliError(`'${alias}' is an account. See: flatlane accounts --help`);
  return { client, path: `/admin/key-lanes/${encodeURIComponent(id)}`, alias };
}

/** The fields of the request; a list or a map takes the place of the one that was there. */
function changesOf(options: EditOptions): Record<string, unknown> {
  const { alias, baseUrl, authHeader, header, map, price, model, allowPrivate, concurrency, rank, batchPrice } =
    options;
  const changes = {
    alias,
    baseUrl,
    authHeader,
    headers: header === false ? {} : header,
    modelMap: map === false ? {} : map,
    prices: price === false ? {} : price,
    batchPriceShare: batchPrice === false ? null : batchPrice,
    models: model,
    allowPrivateAddresses: allowPrivate,
    concurrency,
    rank,
  };
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}
