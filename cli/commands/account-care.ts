import type { Command } from 'commander';
import { accountAnswer, checkAnswer, removalAnswer, signOutAnswer, windowSampleList } from '../admin-shapes.ts';
import type { AdminClient } from '../admin-client.ts';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { findAccount } from '../find-lane.ts';
import { formatTime } from '../format-values.ts';
import { parseCount, parsePercent } from '../parse-arguments.ts';
import { formatTable } from '../table.ts';

interface AccountSettings {
  readonly concurrency?: number;
  readonly reserve?: number;
  readonly rank?: number;
}

/** `flatlane accounts …`: what an owner does with an account that is there. */
export function registerAccountCare(accounts: Command, context: CliContext): void {
  const { io } = context;
  const command = (name: string, description: string): Command =>
    accounts.command(name).description(description).argument('<account>', 'alias or id');
  const connect = async (
    on: Command,
    account: string,
  ): Promise<{ client: AdminClient; path: string; alias: string }> => {
    const client = await context.connect(on);
    const { id, alias } = await findAccount(client, account);
    return { client, path: `/admin/accounts/${encodeURIComponent(id)}`, alias };
  };
  const post = (name: string, description: string, say: (alias: string) => string) =>
    command(name, description).action(async (account: string, _options: unknown, on: Command) => {
      const { client, path, alias } = await connect(on, account);
      const answer = await client.request('POST', `${path}/${name}`, accountAnswer);
      context.show(on, answer, () => say(alias));
    });

  post('pause', 'take nothing new; what is under way is finished', (alias) => `Paused '${alias}'.`);
  post('resume', 'take requests again', (alias) => `Resumed '${alias}'.`);
  post(
    'drain',
    'take nothing new, and be off when all that is under way is finished',
    (alias) => `Draining '${alias}'; it is off when it is empty: flatlane accounts`,
  );

  command('check', 'look at the sign-in and the windows now').action(
    async (account: string, _options: unknown, on: Command) => {
      const { client, path, alias } = await connect(on, account);
      const answer = await client.request('POST', `${path}/check`, checkAnswer);
      if (!answer.checked) {
        throw new CliError(`No worker has looked at '${alias}' in time. Is the one with its home running?`);
      }
      const { state, why } = answer.account;
      context.show(on, answer, () => `Account '${alias}' is ${state}${why ? ` (${why})` : ''}.`);
    },
  );

  command('rename', 'give another short name')
    .argument('<new-alias>', 'the new one')
    .action(async (account: string, newAlias: string, _options: unknown, on: Command) => {
      const { client, path, alias } = await connect(on, account);
      const answer = await client.request('PATCH', path, accountAnswer, { alias: newAlias });
      context.show(on, answer, () => `Renamed '${alias}' to '${newAlias}'.`);
    });

  command('set', 'change settings; they take effect at once')
    .option('--concurrency <n>', 'requests at a time, 1 to 16', parseCount)
    .option(
      '--reserve <percent>',
      'percent of the weekly window that batch lines leave to other requests',
      parsePercent,
    )
    .option('--rank <n>', 'place among accounts, smaller first; accounts of one rank share', parseCount)
    .action(async (account: string, { concurrency, reserve, rank }: AccountSettings, on: Command) => {
      if (concurrency === undefined && reserve === undefined && rank === undefined) {
        throw new CliError('Say what to set: --concurrency, --reserve or --rank.');
      }
      const { client, path, alias } = await connect(on, account);
      const answer = await client.request('PATCH', path, accountAnswer, {
        ...(concurrency === undefined ? {} : { concurrency }),
        ...(reserve === undefined ? {} : { weeklyReservePercent: reserve }),
        ...(rank === undefined ? {} : { rank }),
      });
      const { concurrency: atATime, weeklyReservePercent } = answer.account;
      context.show(
        on,
        answer,
        () =>
          `'${alias}': ${atATime} at a time, ${weeklyReservePercent ?? 0}% of the week kept${rank === undefined ? '' : `, rank ${rank}`}.`,
      );
    });

  command('sign-out', 'end the sign-in of the account on its machine')
    .option('--everywhere', 'say how to end its sign-ins elsewhere as well')
    .action(async (account: string, { everywhere = false }: { everywhere?: boolean }, on: Command) => {
      const { client, path, alias } = await connect(on, account);
      const answer = await client.request('POST', `${path}/sign-out`, signOutAnswer, { everywhere });
      if (answer.everywhere) io.err(answer.everywhere.how);
      if (!answer.signedOut) throw new CliError(`'${alias}' is not signed out. Is the worker with its home running?`);
      context.show(on, answer, () => `Signed out '${alias}' here.`);
    });

  command('remove', 'sign out, delete the home folder, and take the account out of all routes')
    .option('--yes', 'confirm without being asked')
    .action(async (account: string, { yes = false }: { yes?: boolean }, on: Command) => {
      const { client, path, alias } = await connect(on, account);
      const sure = yes || (await io.confirm(`Remove '${alias}' with its sign-in and its history?`));
      if (sure === null) throw new CliError('Nobody is there to confirm that. Confirm it with --yes.');
      if (!sure) throw new CliError('Nothing was removed.');
      const answer = await client.request('DELETE', path, removalAnswer);
      context.show(on, answer, () =>
        answer.deleted
          ? `Removed '${alias}'.`
          : `'${alias}' takes nothing any more, and is removed when the worker with its home has finished what is under way.`,
      );
    });

  command('windows', 'show how much of the windows was used over time')
    .option('--limit <n>', 'samples, newest first', parseCount, 50)
    .action(async (account: string, { limit }: { limit: number }, on: Command) => {
      const { client, path } = await connect(on, account);
      const found = await client.request('GET', `${path}/windows?limit=${limit}`, windowSampleList);
      context.show(on, found, () =>
        formatTable(
          ['at', 'window', 'used', 'resets'],
          found.data.map(({ at, window, usedPercent, resetsAt }) => [
            formatTime(at),
            window,
            `${Math.round(usedPercent)}%`,
            formatTime(resetsAt),
          ]),
          'Nothing was seen of its windows yet.',
        ),
      );
    });
}
