import type { Logger } from '../core/log.ts';
import { lockFolder } from './folder-lock.ts';
import { hasLeftover, pidFileOf } from './leftover.ts';
import type { PingMongodb } from './mongodb/health.ts';
import { startMongodb } from './mongodb/start-mongodb.ts';
import { MONGODB_ADVICE, mongodbWays } from './mongodb/ways.ts';
import { LOOPBACK } from './ports.ts';
import type { OnProgress } from './progress.ts';
import { resolveChain } from './resolve-chain.ts';
import type { RunningPart } from './running-part.ts';
import { startTemporal } from './temporal/start-temporal.ts';
import { TEMPORAL_ADVICE, temporalWays } from './temporal/ways.ts';
import { createToolCache, toolCacheFolder } from './tool-cache.ts';
import { checkWantedPorts, type WantedPort } from './wanted-ports.ts';

export type { RunningPart } from './running-part.ts';
export { startMongodb } from './mongodb/start-mongodb.ts';
export { startTemporal } from './temporal/start-temporal.ts';

export interface StackOptions {
  readonly dataDir: string;
  readonly temporalAddress?: string | undefined;
  readonly temporalNamespace?: string | undefined;
  readonly temporalApiKey?: string | undefined;
  readonly temporalTls?: boolean | undefined;
  readonly mongodbUri?: string | undefined;
  readonly temporalPort?: number | undefined;
  readonly temporalUiPort?: number | undefined;
  readonly mongodbPort?: number | undefined;
  /** What else will listen in this process: tried with the others before anything is fetched, built or started. */
  readonly furtherPorts?: readonly WantedPort[];
  /** A health check of MongoDB with the driver, which is not to be had here. */
  readonly pingMongodb?: PingMongodb | undefined;
  /** Called when the lock of the data folder was lost: another process may have it, so this one must end. */
  readonly onLost?: ((cause: Error) => void) | undefined;
  readonly log: Logger;
  readonly onProgress: OnProgress;
}

export interface RunningStack {
  readonly temporal: RunningPart;
  readonly mongodb: RunningPart;
  stop(): Promise<void>;
}

/**
 * Brings up the servers that the product runs on, each by the first of its ways that works, and keeps them up.
 * @throws Error when a part cannot be had (with all ways and reasons), a port is in use, or another process has the data
 * folder. What had been started is stopped again.
 */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const { dataDir, log, onProgress } = options;
  let isLost = false;
  let stopAll = (): Promise<void> => Promise.resolve();
  const onLost = (cause: Error): void => {
    if (isLost) return;
    isLost = true;
    void stopAll();
    options.onLost?.(cause);
  };
  const release = await lockFolder(dataDir, 'stack', log, onLost);
  try {
    await checkWantedPorts(await portsToTry(options));
  } catch (cause) {
    await release().catch(() => undefined);
    throw cause;
  }
  const started = await Promise.allSettled([
    startTemporal({
      dataDir,
      address: options.temporalAddress,
      namespace: options.temporalNamespace,
      apiKey: options.temporalApiKey,
      tls: options.temporalTls,
      port: options.temporalPort,
      uiPort: options.temporalUiPort,
      onLost,
      log,
      onProgress,
    }),
    startMongodb({
      dataDir,
      uri: options.mongodbUri,
      port: options.mongodbPort,
      ping: options.pingMongodb,
      onLost,
      log,
      onProgress,
    }),
  ]);
  const stop = async (): Promise<void> => {
    await Promise.all(started.flatMap((part) => (part.status === 'fulfilled' ? [part.value.stop()] : [])));
    await release().catch(() => undefined);
  };
  stopAll = stop;
  const [temporal, mongodb] = started;
  if (!isLost && temporal.status === 'fulfilled' && mongodb.status === 'fulfilled') {
    return { temporal: temporal.value, mongodb: mongodb.value, stop };
  }
  await stop();
  if (isLost) throw new Error(`Another process has taken the data folder ${dataDir} meanwhile.`);
  const failures = started.flatMap((part) => (part.status === 'rejected' ? [part.reason as Error] : []));
  throw failures.length === 1
    ? failures[0]
    : new AggregateError(failures, failures.map(({ message }) => message).join('\n\n'));
}

/**
 * The ports that were asked for. Those of a server of an earlier start that is still on its way out are left to the part itself,
 * which waits for that one's end.
 */
async function portsToTry(options: StackOptions): Promise<readonly WantedPort[]> {
  const { dataDir, temporalAddress, mongodbUri, temporalPort, temporalUiPort, mongodbPort } = options;
  const embedded = async (name: string, address: string | undefined, ports: Record<string, number | undefined>) =>
    address !== undefined || (await hasLeftover(pidFileOf(dataDir, name)))
      ? []
      : Object.entries(ports).map(([use, port]) => ({ use, host: LOOPBACK, port }));
  return [
    ...(options.furtherPorts ?? []),
    ...(await embedded('temporal', temporalAddress, { Temporal: temporalPort, "Temporal's UI": temporalUiPort })),
    ...(await embedded('mongodb', mongodbUri, { MongoDB: mongodbPort })),
  ];
}

/**
 * Makes sure that both servers can be started without a fetch or a build, and says by which way each will be.
 * @throws Error that lists the ways that were tried.
 */
export async function ensureTools(
  onProgress: OnProgress,
): Promise<{ readonly temporal: string; readonly mongodb: string }> {
  const cache = createToolCache(toolCacheFolder(), onProgress);
  const temporal = await resolveChain({
    part: 'Temporal server',
    ways: temporalWays(null, cache),
    advice: TEMPORAL_ADVICE,
  });
  const mongodb = await resolveChain({
    part: 'MongoDB',
    ways: mongodbWays(null, null, cache),
    advice: MONGODB_ADVICE,
  });
  return { temporal: temporal.how, mongodb: mongodb.how };
}
