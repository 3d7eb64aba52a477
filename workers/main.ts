import { systemClock } from '../core/clock.ts';
import { readConfig } from '../core/config.ts';
import { createLogger } from '../core/log.ts';
import { loadMasterKey } from '../core/master-key.ts';
import { createSecretBox } from '../core/secret-box.ts';
import { createShutdown } from '../core/shutdown.ts';
import { stopOnSignals } from '../core/signals.ts';
import { findWorkflowBundle } from '../core/workflow-bundle.ts';
import { connectDatabase } from '../store/database.ts';
import { startWorker } from './compose.ts';
import { connectTemporal } from './temporal-connection.ts';
import { logTemporalTo } from './temporal-log.ts';

/** A worker on its own: it needs MONGODB_URI and TEMPORAL_ADDRESS, and hosts the accounts in its data folder. */
const config = readConfig();
const log = createLogger(config.FLATLANE_LOG_LEVEL, 'flatlane-worker');
const shutdown = createShutdown(log);
stopOnSignals(shutdown);
try {
  if (config.MONGODB_URI === undefined || config.TEMPORAL_ADDRESS === undefined) {
    throw new Error('A worker on its own needs MONGODB_URI and TEMPORAL_ADDRESS. `npm start` brings both along.');
  }
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE);
  shutdown.add('database', 5_000, () => database.close());
  logTemporalTo(log);
  const connection = await connectTemporal(config, config.TEMPORAL_ADDRESS);
  shutdown.add('Temporal connection', 5_000, () => connection.close());
  await startWorker({
    config,
    database,
    connection,
    hub: undefined,
    secretBox: createSecretBox(await loadMasterKey(config.FLATLANE_MASTER_KEY, config.FLATLANE_DATA)),
    workflowBundlePath: await findWorkflowBundle(),
    clock: systemClock,
    log,
    shutdown,
  });
  log.info('the worker takes tasks');
} catch (error) {
  log.fatal({ err: error }, 'the worker could not start');
  await shutdown.run();
  process.exit(1);
}
