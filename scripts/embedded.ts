import { Client } from '@temporalio/client';
import { systemClock } from '../core/clock.ts';
import type { Config } from '../core/config.ts';
import { newProcessId } from '../core/ids.ts';
import type { Logger } from '../core/log.ts';
import { loadMasterKey } from '../core/master-key.ts';
import { createReplyHub } from '../core/reply-hub.ts';
import { createSecretBox } from '../core/secret-box.ts';
import type { Shutdown } from '../core/shutdown.ts';
import { endProcess } from '../core/signals.ts';
import { findWorkflowBundle } from '../core/workflow-bundle.ts';
import { startApi, type RunningApi } from '../api/compose.ts';
import { startStack, type RunningStack } from '../stack/start-stack.ts';
import { connectDatabase } from '../store/database.ts';
import { startWorker } from '../workers/compose.ts';
import { connectTemporal } from '../workers/temporal-connection.ts';
import { logTemporalTo } from '../workers/temporal-log.ts';

export interface EmbeddedOptions {
  readonly config: Config;
  readonly temporalPort?: number | undefined;
  readonly temporalUiPort?: number | undefined;
  readonly mongodbPort?: number | undefined;
  readonly newAdminKey?: boolean;
  readonly log: Logger;
  readonly shutdown: Shutdown;
  readonly onProgress: (line: string) => void;
}

export interface Embedded extends RunningApi {
  readonly stack: RunningStack;
}

/** An API key and TLS are for a server of the owner's: the embedded one has neither. */
function forTheServer(given: Config, log: Logger): Config {
  if (given.TEMPORAL_ADDRESS !== undefined) return given;
  if (given.TEMPORAL_API_KEY !== undefined || given.TEMPORAL_TLS !== undefined) {
    log.warn(
      'TEMPORAL_API_KEY and TEMPORAL_TLS are not used: without TEMPORAL_ADDRESS the Temporal server is the embedded one',
    );
  }
  return { ...given, TEMPORAL_API_KEY: undefined, TEMPORAL_TLS: undefined };
}

/** Everything in one go: Temporal, MongoDB, and the api with one worker in this process, over one data folder. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { log, shutdown, onProgress, temporalPort, temporalUiPort, mongodbPort } = options;
  const config = forTheServer(options.config, log);
  const workflowBundlePath = await findWorkflowBundle();
  const stack = await startStack({
    dataDir: config.FLATLANE_DATA,
    temporalAddress: config.TEMPORAL_ADDRESS,
    temporalNamespace: config.TEMPORAL_NAMESPACE,
    temporalApiKey: config.TEMPORAL_API_KEY,
    temporalTls: config.TEMPORAL_TLS,
    mongodbUri: config.MONGODB_URI,
    temporalPort,
    temporalUiPort,
    mongodbPort,
    furtherPorts: [
      { use: 'the API', host: config.FLATLANE_HOST, port: config.FLATLANE_PORT },
      { use: 'the admin routes', host: config.FLATLANE_ADMIN_HOST, port: config.FLATLANE_ADMIN_PORT },
      { use: 'answers of other workers', host: config.FLATLANE_INTERNAL_HOST, port: config.FLATLANE_INTERNAL_PORT },
    ],
    pingMongodb: async (uri) => {
      const tried = await connectDatabase(uri, config.MONGODB_DATABASE);
      try {
        await tried.ping();
      } finally {
        await tried.close();
      }
    },
    onLost: () => {
      log.fatal({ dataDir: config.FLATLANE_DATA }, 'another process may have the data folder, so this one ends');
      void endProcess(shutdown, 1);
    },
    log,
    onProgress,
  });
  shutdown.add('Temporal and MongoDB', 20_000, () => stack.stop());
  const database = await connectDatabase(stack.mongodb.address, config.MONGODB_DATABASE);
  shutdown.add('database', 5_000, () => database.close());
  logTemporalTo(log);
  const connection = await connectTemporal(config, stack.temporal.address);
  shutdown.add('Temporal connection', 5_000, () => connection.close());
  const shared = {
    config,
    database,
    hub: createReplyHub(newProcessId()),
    secretBox: createSecretBox(await loadMasterKey(config.FLATLANE_MASTER_KEY, config.FLATLANE_DATA)),
    clock: systemClock,
    log,
    shutdown,
  };
  await startWorker({ ...shared, connection, workflowBundlePath });
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  const api = await startApi({ ...shared, client, eagerStart: true, newAdminKey: options.newAdminKey ?? false });
  return { ...api, stack };
}
