import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { formatText } from '../format-values.ts';
import { CliError } from '../cli-error.ts';
import { signIn } from '../sign-in.ts';
import { printable } from '../table.ts';

interface LoginOptions {
  readonly alias: string;
  readonly yes?: boolean;
  readonly accessToken?: boolean;
}

export function registerLogin(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('login')
    .description('sign in a ChatGPT account of yours, by device code unless you give an access token')
    .option('--alias <alias>', 'short name of the account', 'main')
    .option('--access-token', 'sign in with a Codex access token of the account, read from standard input')
    .option('--yes', 'confirm a second account without being asked')
    .action(async ({ alias, yes = false, accessToken = false }: LoginOptions, command: Command) => {
      const client = await context.connect(command);
      const say = (line: string): void => (context.wantsJson(command) ? io.err(line) : io.out(line));
      const token = accessToken ? { accessToken: await readToken(context) } : {};
      const account = await signIn({ io, client, alias, yes, say, ...token });
      context.show(command, { account }, () => {
        const plan = formatText(account.planType);
        const state = account.why ? `${account.state} (${account.why})` : account.state;
        return printable(`Account '${alias}' is signed in: ${formatText(account.email)}, plan ${plan}, ${state}.`);
      });
    });
}

/** A token on the command line would be seen by every process of the machine and kept in the shell's history. */
async function readToken({ io }: CliContext): Promise<string> {
  const token = (await io.readSecret('Access token (not shown): ')).trim();
  if (token === '' || /\s/.test(token)) throw new CliError('No access token came on standard input. Pipe it in.');
  return token;
}
