import { Command, Option } from 'commander';
import { createCliContext } from './cli-context.ts';
import type { CliIo } from './cli-io.ts';
import { registerAccounts } from './commands/accounts.ts';
import { registerBatches } from './commands/batches.ts';
import { registerKeys } from './commands/keys.ts';
import { registerLanes } from './commands/lanes.ts';
import { registerLogin } from './commands/login.ts';
import { registerLogs } from './commands/logs.ts';
import { registerRoutes } from './commands/routes.ts';
import { registerWebhooks } from './commands/webhooks.ts';

/** `flatlane …`: all commands. They speak HTTP to the admin API, those of batches to the public API, and to nothing else. */
export function createProgram(io: CliIo): Command {
  const program = new Command('flatlane')
    .description(
      'Looks after a running flatlane: accounts, lanes, routes, keys, batches and the log of what was served.',
    )
    .addOption(
      new Option('--admin-url <url>', 'address of the admin API')
        .env('FLATLANE_ADMIN_URL')
        .default('http://127.0.0.1:8485'),
    )
    .addOption(new Option('--admin-key <key>', 'admin key, better given by its variable').env('FLATLANE_ADMIN_KEY'))
    .option('--json', 'show results as JSON')
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
    })
    .showHelpAfterError('(see --help)')
    // commander would end the process in the middle of a command; `run` makes an exit code of it.
    .exitOverride();
  const context = createCliContext(io);
  for (const register of [
    registerLogin,
    registerAccounts,
    registerLanes,
    registerRoutes,
    registerKeys,
    registerBatches,
    registerWebhooks,
    registerLogs,
  ]) {
    register(program, context);
  }
  return program;
}
