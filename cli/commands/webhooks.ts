import { InvalidArgumentError, Option, type Command } from 'commander';
import { WEBHOOK_EVENT_TYPES } from '../../core/contracts/webhook.ts';
import {
  anyAnswer,
  attemptList,
  newWebhookAnswer,
  webhookAnswer,
  webhookList,
  webhookTestAnswer,
} from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { formatText, formatTime, UNKNOWN } from '../format-values.ts';
import { formatTable } from '../table.ts';

interface AddOptions {
  readonly key: string;
  readonly event?: string[];
  readonly allowPrivate?: boolean;
}

export function registerWebhooks(program: Command, context: CliContext): void {
  const list = async (_options: unknown, command: Command): Promise<void> => {
    const client = await context.connect(command);
    const found = await client.request('GET', '/admin/webhooks', webhookList);
    context.show(command, found, () =>
      formatTable(
        ['id', 'key', 'url', 'events', 'state', 'last attempt', 'result'],
        found.data.map(({ id, keyId, url, events, enabled, why, lastAttempt }) => [
          id,
          keyId,
          withoutQuery(url),
          events.length === WEBHOOK_EVENT_TYPES.length ? 'all' : events.join(', '),
          enabled ? 'on' : `off: ${formatText(why)}`,
          formatTime(lastAttempt?.at),
          lastAttempt === null || lastAttempt === undefined ? UNKNOWN : resultOf(lastAttempt),
        ]),
        'No webhooks yet. Add one with: flatlane webhooks add <url> --key <id>',
      ),
    );
  };
  const webhooks = program
    .command('webhooks')
    .description('list who is told when batches end, with the last result')
    .action(list);
  webhooks.command('list').description('the same').action(list);

  webhooks
    .command('add')
    .description('tell a URL when batches of a key end; the signing secret is shown once')
    .argument('<url>', 'https://…, or http:// on this machine with --allow-private')
    .requiredOption('--key <id>', 'whose batches, as in `flatlane keys`')
    .addOption(
      new Option('--event <type...>', 'only these events').choices(WEBHOOK_EVENT_TYPES).default(undefined, 'all'),
    )
    .option('--allow-private', 'allow an address in a private network')
    .action(async (url: string, options: AddOptions, command: Command) => {
      const client = await context.connect(command);
      const made = await client.request('POST', '/admin/webhooks', newWebhookAnswer, {
        keyId: options.key,
        url,
        ...(options.event === undefined ? {} : { events: options.event }),
        ...(options.allowPrivate === true ? { allowPrivateAddresses: true } : {}),
      });
      if (!context.wantsJson(command)) {
        context.io.err(`Added webhook ${made.webhook.id}. Its signing secret is shown only now:`);
      }
      context.show(command, made, () => made.secret);
    });

  webhooks
    .command('test')
    .description('send a test event, once')
    .argument('<id>', 'as in `flatlane webhooks`')
    .action(async (id: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const result = await client.request('POST', `${pathOf(id)}/test`, webhookTestAnswer, {});
      if (result.outcome !== 'delivered') {
        throw new CliError(`The test was not delivered: ${formatText(result.why)}.`);
      }
      context.show(command, result, () => `The test event was ${resultOf(result)}.`);
    });

  webhooks
    .command('attempts')
    .description('the last attempts of a webhook, newest first')
    .argument('<id>', 'as in `flatlane webhooks`')
    .action(async (id: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const found = await client.request('GET', `${pathOf(id)}/attempts`, attemptList);
      context.show(command, found, () =>
        formatTable(
          ['time', 'event', 'batch', 'attempt', 'result'],
          found.data.map((one) => [formatTime(one.at), one.type, one.dataId, String(one.attempt), resultOf(one)]),
          'Nothing was sent yet.',
        ),
      );
    });

  webhooks
    .command('rotate')
    .description('make a new signing secret, shown once; the one before signs as well for a while')
    .argument('<id>', 'as in `flatlane webhooks`')
    .option('--overlap <hours>', 'how long both sign: 0 to 168', parseHours)
    .action(async (id: string, { overlap }: { overlap?: number }, command: Command) => {
      const client = await context.connect(command);
      const made = await client.request(
        'POST',
        `${pathOf(id)}/rotate`,
        newWebhookAnswer,
        overlap === undefined ? {} : { overlapSeconds: overlap * 3_600 },
      );
      if (!context.wantsJson(command)) {
        const until = made.webhook.previousSecretUntil ?? null;
        const before =
          until === null ? 'The one before signs no more.' : `The one before signs until ${formatTime(until)}.`;
        context.io.err(`${before} The new secret is shown only now:`);
      }
      context.show(command, made, () => made.secret);
    });

  for (const [name, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    webhooks
      .command(name)
      .description(enabled ? 'send again, as after a receiver was gone (410)' : 'send nothing until it is enabled')
      .argument('<id>', 'as in `flatlane webhooks`')
      .action(async (id: string, _options: unknown, command: Command) => {
        const client = await context.connect(command);
        const changed = await client.request('PATCH', pathOf(id), webhookAnswer, { enabled });
        context.show(command, changed, () => `Webhook ${id} is ${changed.webhook.enabled ? 'on' : 'off'}.`);
      });
  }

  webhooks
    .command('remove')
    .description('remove a webhook; what was not delivered yet is dropped')
    .argument('<id>', 'as in `flatlane webhooks`')
    .action(async (id: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const answer = await client.request('DELETE', pathOf(id), anyAnswer);
      context.show(command, answer, () => `Removed webhook ${id}.`);
    });
}

function pathOf(id: string): string {
  return `/admin/webhooks/${encodeURIComponent(id)}`;
}

interface Result {
  readonly outcome: string;
  readonly status?: number | null | undefined;
  readonly durationMs: number;
  readonly why?: string | null | undefined;
}

function resultOf({ outcome, status, durationMs, why }: Result): string {
  const what = why ?? (status === null || status === undefined ? null : String(status));
  return `${outcome}${what === null ? '' : ` (${what})`} in ${durationMs} ms`;
}

/** Some receivers have a token in their query, which a list should not show to whoever looks over a shoulder. */
function withoutQuery(url: string): string {
  return url.replace(/\?.*$/, '?…');
}

function parseHours(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 168) {
    throw new InvalidArgumentError('It must be whole hours from 0 to 168.');
  }
  return Number(text);
}
