import type { Command } from 'commander';
import { createAdminClient, type AdminClient } from './admin-client.ts';
import { CliError } from './cli-error.ts';
import type { CliIo } from './cli-io.ts';

/** Options of every command. */
interface GlobalOptions {
  readonly adminUrl: string;
  readonly adminKey?: string;
  readonly json?: boolean;
}

/** What the commands share. */
export interface CliContext {
  readonly io: CliIo;
  /** The admin API at the address and with the key that the options say. */
  connect(command: Command): Promise<AdminClient>;
  /** Shows a result: as JSON with --json, else as a text for people. */
  show(command: Command, result: unknown, text: () => string): void;
  /** True with --json. */
  wantsJson(command: Command): boolean;
}

export function createCliContext(io: CliIo): CliContext {
  const optionsOf = (command: Command): GlobalOptions => command.optsWithGlobals<GlobalOptions>();
  const wantsJson = (command: Command): boolean => optionsOf(command).json === true;
  return {
    io,
    wantsJson,
    async connect(command) {
      const { adminUrl, adminKey } = optionsOf(command);
      if (!/^https?:\/\//.test(adminUrl) || !URL.canParse(adminUrl)) {
        throw new CliError('The address of the admin API must look like http://127.0.0.1:8485 (--admin-url).');
      }
      if (adminKey === undefined) {
        throw new CliError(
          'There is no admin key. Set FLATLANE_ADMIN_KEY to the one that the first start showed; `npm start -- --new-admin-key` makes another one.',
        );
      }
      return createAdminClient({ url: adminUrl, key: adminKey.trim(), interrupted: io.interrupted });
    },
    show(command, result, text) {
      io.out(wantsJson(command) ? JSON.stringify(result, null, 2) : text());
    },
  };
}
