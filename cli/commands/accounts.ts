import type { Command } from 'commander';
import { accountList, type Account } from '../admin-shapes.ts';
import type { CliContext } from '../cli-context.ts';
import { formatList, formatText, formatTime } from '../format-values.ts';
import { formatTable } from '../table.ts';
import { registerAccountCare } from './account-care.ts';

export function registerAccounts(program: Command, context: CliContext): void {
  const accounts = program
    .command('accounts')
    .description('list the ChatGPT accounts, with what is used of their windows')
    .action(async (_options: unknown, command: Command) => {
      const client = await context.connect(command);
      const accounts = await client.request('GET', '/admin/accounts', accountList);
      context.show(command, accounts, () =>
        formatTable(
          ['alias', 'state', 'account', 'plan', 'windows', 'cooling until', 'at a time', 'why'],
          accounts.data.map((account) => [
            account.alias,
            account.hold === 'draining' ? 'draining' : account.state,
            formatText(account.email),
            formatText(account.planType),
            formatList(account.windows.map(formatWindow)),
            formatTime(account.coolingUntil),
            String(account.concurrency),
            formatText(account.why),
          ]),
          'No accounts yet. Add one with: flatlane login',
        ),
      );
    });
  registerAccountCare(accounts, context);
}

function formatWindow({ name, usedPercent, resetsAt }: Account['windows'][number]): string {
  const used = `${name} ${Math.round(usedPercent)}% used`;
  return resetsAt === null || resetsAt === undefined ? used : `${used}, resets ${formatTime(resetsAt)}`;
}
