import type { AdminClient } from './admin-client.ts';
import { accountAnswer, accountList, type Account } from './admin-shapes.ts';
import { CliError } from './cli-error.ts';
import type { CliIo } from './cli-io.ts';
import { formatTime } from './format-values.ts';
import { printable } from './table.ts';

/** OpenAI lets a client ask every five seconds; the worker does that, and this only reads what it found. */
const POLL_INTERVAL_MS = 2_000;

/** The worker asks the Codex CLI for a code, which starts in some seconds; longer means that no worker is there. */
const CODE_WAIT_MS = 60_000;

const ACCOUNT_WARNING =
  'You have an account already. Your ChatGPT terms apply to each: do not use several accounts to get around limits.';

/** States of an account that is signed in, whether it has room or not. */
const SIGNED_IN = new Set(['ready', 'cooling', 'unhealthy']);

export interface SignIn {
  readonly io: CliIo;
  readonly client: AdminClient;
  readonly alias: string;
  /** True takes the questions as answered with yes. */
  readonly yes: boolean;
  /** A Codex access token to sign in with; without one it is done by device code. */
  readonly accessToken?: string;
  /** Shows a line of the instructions. */
  readonly say: (line: string) => void;
}

/**
 * Signs an account in by device code: finds or makes the account, shows address and code, waits until the owner has entered it.
 * The sign-in belongs to the server: when the command ends early it stays open, and the next run shows the same code.
 * @throws CliError when the code expires, the sign-in fails or the command is interrupted.
 */
export async function signIn(task: SignIn): Promise<Account> {
  const { io } = task;
  let account = await findOrCreate(task);
  let shownCode: string | undefined;
  /** Since when there is no code: a worker whose Codex process died brings another one in a moment. */
  let codelessSince = io.now();
  for (;;) {
    if (SIGNED_IN.has(account.state)) return account;
    if (account.state !== 'signing_in') throw new CliError(signInFailed(account));
    const { login } = account;
    if (login && login.expiresAt <= io.now()) throw new CliError(codeExpired(task.alias));
    if (login && login.userCode !== shownCode) {
      shownCode = login.userCode;
      showCode(task, login);
    }
    if (login) codelessSince = io.now();
    if (io.now() - codelessSince > CODE_WAIT_MS) {
      throw new CliError(
        shownCode === undefined
          ? 'No worker has taken up the sign-in. Check that flatlane runs with a worker, then run the command again.'
          : codeExpired(task.alias),
      );
    }
    await io.sleep(POLL_INTERVAL_MS).catch(() => {
      throw new CliError(
        `The sign-in stays open. Run the same command again to see its code: ${commandFor(task.alias)}`,
        130,
      );
    });
    ({ account } = await task.client.request('GET', `/admin/accounts/${account.id}`, accountAnswer));
  }
}

async function findOrCreate({ client, alias, io, yes, accessToken }: SignIn): Promise<Account> {
  const { data: accounts } = await client.request('GET', '/admin/accounts', accountList);
  const existing = accounts.find((account) => account.alias === alias);
  if (existing === undefined) {
    if (accounts.length > 0 && !yes) await acknowledge(io);
    const acknowledged = accounts.length > 0 ? { acknowledge: true } : {};
    const wish = { alias, ...acknowledged, ...(accessToken === undefined ? {} : { accessToken }) };
    return (await client.request('POST', '/admin/accounts', accountAnswer, wish)).account;
  }
  if (existing.hold && existing.hold !== 'none') {
    throw new CliError(`Account '${alias}' is ${existing.hold}. Resume it with: flatlane accounts resume ${alias}`);
  }
  const pending = existing.state === 'signing_in' && existing.login && existing.login.expiresAt > io.now();
  const loginPath = `/admin/accounts/${existing.id}/login`;
  if (accessToken !== undefined)
    return (await client.request('POST', loginPath, accountAnswer, { accessToken })).account;
  if (pending || SIGNED_IN.has(existing.state)) return existing;
  return (await client.request('POST', loginPath, accountAnswer)).account;
}

async function acknowledge(io: CliIo): Promise<void> {
  io.err(ACCOUNT_WARNING);
  const answer = await io.confirm('Add another account of your own?');
  if (answer === null) throw new CliError('Nobody is there to confirm a second account. Confirm it with --yes.');
  if (!answer) throw new CliError('No account was added.');
}

function showCode({ say, alias }: SignIn, login: NonNullable<Account['login']>): void {
  say(`To sign in account '${alias}':`);
  say(`  1. open   ${printable(login.verificationUrl)}`);
  say(`  2. enter  ${printable(login.userCode)}`);
  say(`The code is good until ${formatTime(login.expiresAt)}. Waiting; Ctrl-C leaves the sign-in open.`);
}

const commandFor = (alias: string): string => `flatlane login --alias ${alias}`;

function codeExpired(alias: string): string {
  return `The code has expired. Get a new one with: ${commandFor(alias)}`;
}

function signInFailed({ alias, why }: Account): string {
  const reason = why ? ` (${printable(why)})` : '';
  return `The sign-in of '${alias}' did not work${reason}. Try again with: ${commandFor(alias)}`;
}
