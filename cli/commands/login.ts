import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { formatText } from '../format-values.ts';
import { signIn } from '../sign-in.ts';
import { printable } from '../table.ts';

export function registerLogin(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('login')
    .description('sign in a ChatGPT account of yours by device code')
    .option('--alias <alias>', 'short name of the account', 'main')
    .option('--yes', 'confirm a second account without being asked')
    .action(async ({ alias, yes = false }: { alias: string; yes?: boolean }, command: Command) => {
      const client = await context.connect(command);
      const say = (line: string): void => (context.wantsJson(command) ? io.err(line) : io.out(line));
      const account = await signIn({ io, client, alias, yes, say });
      context.show(command, { account }, () => {
        const plan = formatText(account.planType);
        return printable(
          `Account '${alias}' is signed in: ${formatText(account.email)}, plan ${plan}, ${account.state}.`,
        );
      });
    });
}
