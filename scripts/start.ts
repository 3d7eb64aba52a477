import { Command, InvalidArgumentError } from 'commander';
import { portSchema, readConfig } from '../core/config.ts';
import { createLogger } from '../core/log.ts';
import { print } from '../core/print.ts';
import { createShutdown } from '../core/shutdown.ts';
import { stopOnSignals } from '../core/signals.ts';
import { commandLineAddresses } from './command-line-addresses.ts';
import { startEmbedded } from './embedded.ts';

const readPort = (text: string): number => {
  const { success, data } = portSchema.safeParse(text);
  if (!success) throw new InvalidArgumentError('A port is a whole number from 0 to 65535.');
  return data;
};

/** `npm start`: Temporal, MongoDB, the api and a worker over one data folder, until Ctrl-C. */
const options = new Command('npm start --')
  .description(
    'Starts flatlane with everything it needs. Further settings are environment variables: see docs/configuration.md.',
  )
  .option('--data <folder>', 'folder for everything that must survive (default: .flatlane)')
  .option('--port <number>', 'port of the API (default: 8484)')
  .option('--admin-port <number>', 'port of the admin routes (default: 8485)')
  .option('--temporal-port <number>', 'port of the embedded Temporal server (default: a free one, kept)', readPort)
  .option('--temporal-ui-port <number>', 'port of the Temporal UI (default: a free one, kept)', readPort)
  .option('--mongodb-port <number>', 'port of the embedded MongoDB (default: a free one, kept)', readPort)
  .option('--new-admin-key', 'make a further admin key, for an owner who lost theirs')
  .parse()
  .opts<{
    data?: string;
    port?: string;
    adminPort?: string;
    temporalPort?: number;
    temporalUiPort?: number;
    mongodbPort?: number;
    newAdminKey?: boolean;
  }>();

const startedAt = performance.now();
const { temporalPort, temporalUiPort, mongodbPort } = options;
try {
  const config = readConfig({
    ...(options.data === undefined ? {} : { FLATLANE_DATA: options.data }),
    ...(options.port === undefined ? {} : { FLATLANE_PORT: options.port }),
    ...(options.adminPort === undefined ? {} : { FLATLANE_ADMIN_PORT: options.adminPort }),
  });
  const log = createLogger(config.FLATLANE_LOG_LEVEL, 'flatlane');
  const shutdown = createShutdown(log);
  stopOnSignals(shutdown);
  try {
    const running = await startEmbedded({
      config,
      temporalPort,
      temporalUiPort,
      mongodbPort,
      newAdminKey: options.newAdminKey === true,
      log,
      shutdown,
      onProgress: (line) => console.log(line),
    });
    const { temporal, mongodb } = running.stack;
    console.log(`
flatlane is ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s
  API          ${running.url}/v1
  Admin        ${running.adminUrl}
  Temporal     ${temporal.address} (${temporal.how})
  Temporal UI  ${temporal.uiUrl ?? 'that of your server'}
  MongoDB      ${mongodb.how}
  Data         ${config.FLATLANE_DATA}`);
    if (running.adminKey !== undefined) {
      const isShown = await print(`
  Your admin key, shown this once. Keep it, and give it to the command line:
    export FLATLANE_ADMIN_KEY=${running.adminKey.secret}
`);
      if (isShown) await running.adminKey.markShown();
    }
    const elsewhere = commandLineAddresses(running);
    if (elsewhere.length > 0) {
      console.log(`\n  The command line looks at the usual ports until you say:\n    ${elsewhere.join('\n    ')}`);
    }
    console.log('\nSign an account in with `npx flatlane login --alias home`. Ctrl-C stops everything.');
  } catch (error) {
    await shutdown.run();
    throw error;
  }
} catch (error) {
  console.error(`flatlane could not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
