import { Client, Connection } from '@temporalio/client';
import { systemClock } from '../core/clock.ts';
import { readConfig } from '../core/config.ts';
import { newProcessId } from '../core/ids.ts';
import { createLogger } from '../core/log.ts';
import { loadMasterKey } from '../core/master-key.ts';
import { print } from '../core/print.ts';
import { createReplyHub } from '../core/reply-hub.ts';
import { createSecretBox } from '../core/secret-box.ts';
import { createShutdown } from '../core/shutdown.ts';
import { stopOnSignals } from '../core/signals.ts';
import { connectDatabase } from '../store/database.ts';
import { startApi } from './compose.ts';

/** An api on its own: it needs MONGODB_URI and TEMPORAL_ADDRESS, and workers that serve its lanes. */
const config = readConfig();
const log = createLogger(config.FLATLANE_LOG_LEVEL, 'flatlane-api');
const shutdown = createShutdown(log);
stopOnSignals(shutdown);
try {
  if (config.MONGODB_URI === undefined || config.TEMPORAL_ADDRESS === undefined) {
    throw new Error('An api on its own needs MONGODB_URI and TEMPORAL_ADDRESS. `npm start` brings both along.');
  }
  const database = await connectDatabase(config.MONGODB_URI, config.MONGODB_DATABASE);
  shutdown.add('database', 5_000, () => database.close());
  const apiKey = config.TEMPORAL_API_KEY;
  const connection = await Connection.connect({
    address: config.TEMPORAL_ADDRESS,
    tls: config.TEMPORAL_TLS ?? apiKey !== undefined,
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  shutdown.add('Temporal connection', 5_000, () => connection.close());
  const api = await startApi({
    config,
    database,
    client: new Client({ connection, namespace: config.TEMPORAL_NAMESPACE }),
    eagerStart: false,
    hub: createReplyHub(newProcessId()),
    secretBox: createSecretBox(await loadMasterKey(config.FLATLANE_MASTER_KEY, config.FLATLANE_DATA)),
    clock: systemClock,
    log,
    shutdown,
  });
  log.info({ url: api.url, adminUrl: api.adminUrl }, 'the api listens');
  // The one time that it is shown; it goes where a person reads it, not into the log.
  if (api.adminKey !== undefined && (await print(`Admin key, shown once: ${api.adminKey.secret}\n`))) {
    await api.adminKey.markShown();
  }
} catch (error) {
  log.fatal({ err: error }, 'the api could not start');
  await shutdown.run();
  process.exit(1);
}
