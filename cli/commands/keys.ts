import { Option, type Command } from 'commander';
import type { z } from 'zod';
import { METERED_CONSENTS } from '../../core/contracts/metered-consent.ts';
import { REVOKED_BATCHES } from '../../core/contracts/revocation.ts';
import { cancelledBatchAnswer, keyAnswer, keyList, newKeyAnswer, revokedKeyAnswer } from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import type { CliIo } from '../cli-io.ts';
import { formatTime } from '../format-values.ts';
import { formatTable } from '../table.ts';

/** What the product says of the plan lane's terms before a key may use it. */
const PLAN_WARNING = [
  'This key will use your ChatGPT plan. Your ChatGPT terms apply: use it for your own apps only, give it to nobody else,',
  'do not resell. OpenAI may limit or suspend an account: keep a key lane for what is important.',
];

export function registerKeys(program: Command, context: CliContext): void {
  const keys = program
    .command('keys')
    .description('list the keys of your apps')
    .action(async (_options: unknown, command: Command) => {
      const client = await context.connect(command);
      const found = await client.request('GET', '/admin/keys', keyList);
      context.show(command, found, () =>
        formatTable(
          ['id', 'name', 'lanes', 'metered', 'created', 'revoked'],
          found.data.map((key) => [
            key.id,
            key.name,
            `${key.planLanes ? 'plan and keys' : 'keys only'}${key.admin ? ', admin' : ''}`,
            key.metered,
            formatTime(key.createdAt),
            formatTime(key.revokedAt),
          ]),
          'No keys yet. Make one with: flatlane keys create --name <name>',
        ),
      );
    });

  keys
    .command('create')
    .description('make a key for an app; it is shown once')
    .requiredOption('--name <name>', 'what the key is for')
    .addOption(meteredOption())
    .option('--plan', 'let the key use plan lanes: for your own apps only')
    .option('--yes', 'confirm without being asked')
    .action(async (options: { name: string; plan?: boolean; yes?: boolean; metered?: string }, command: Command) => {
      const planLanes = options.plan === true;
      if (planLanes) await confirmPlan(context.io, options.yes === true);
      const client = await context.connect(command);
      const made = await client.request('POST', '/admin/keys', newKeyAnswer, {
        name: options.name,
        planLanes,
        ...(options.metered === undefined ? {} : { metered: options.metered }),
      });
      if (!context.wantsJson(command)) context.io.err('The key is shown only now. Keep it in a safe place:');
      context.show(command, made, () => made.secret);
    });

  keys
    .command('set')
    .description('change what a key may spend')
    .argument('<id>', 'as in `flatlane keys`')
    .addOption(meteredOption().makeOptionMandatory())
    .action(async (id: string, { metered }: { metered: string }, command: Command) => {
      const client = await context.connect(command);
      const changed = await client.request('PATCH', `/admin/keys/${encodeURIComponent(id)}`, keyAnswer, { metered });
      context.show(command, changed, () => `Metered spend of key '${changed.key.name}' (${id}): ${metered}.`);
    });

  keys
    .command('revoke')
    .description('end a key; calls with it are refused from then on')
    .argument('<id>', 'as in `flatlane keys`')
    .addOption(
      new Option('--batches <what>', 'its batches that are not over: cancel (unless told otherwise) or finish').choices(
        REVOKED_BATCHES,
      ),
    )
    .action(async (id: string, { batches }: { batches?: string }, command: Command) => {
      const client = await context.connect(command);
      const path = `/admin/keys/${encodeURIComponent(id)}${batches === undefined ? '' : `?batches=${batches}`}`;
      const revoked = await client.request('DELETE', path, revokedKeyAnswer);
      context.show(command, revoked, () => `Revoked key '${revoked.key.name}' (${id}).${batchesNote(revoked)}`);
    });

  keys
    .command('cancel-batch')
    .description('end a batch of any key early; what is answered by then is kept')
    .argument('<id>', 'of the batch, as in `flatlane batches` and `flatlane logs`')
    .action(async (id: string, _options: unknown, command: Command) => {
      const client = await context.connect(command);
      const path = `/admin/batches/${encodeURIComponent(id)}/cancel`;
      const { batch, keyId } = await client.request('POST', path, cancelledBatchAnswer);
      context.show(command, { batch, keyId }, () => `Batch ${id} of key ${keyId} is ${batch.status}.`);
    });
}

/** What becomes of the batches of a revoked key; nothing where the server does not say. */
function batchesNote({ key, cancelledBatches }: z.infer<typeof revokedKeyAnswer>): string {
  if (key.revokedBatches === 'finish') return ' Its batches run to their end.';
  if (key.revokedBatches !== 'cancel') return '';
  const count = cancelledBatches ?? 0;
  return count === 0 ? ' It has no batch to cancel.' : ` Batches of it that are being cancelled: ${count}.`;
}

/** The choice for keys and routes alike. */
export function meteredOption(): Option {
  return new Option(
    '--metered <consent>',
    'calls that cost money by the token: never, ask (a request must allow it) or auto',
  ).choices(METERED_CONSENTS);
}

async function confirmPlan(io: CliIo, yes: boolean): Promise<void> {
  for (const line of PLAN_WARNING) io.err(line);
  if (yes) return;
  const answer = await io.confirm('Is this key for an app of your own?');
  if (answer === null) throw new CliError('Nobody is there to confirm that. Confirm it with --yes.');
  if (!answer) throw new CliError('No key was made. Without --plan a key uses key lanes only.');
}
