import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from '../../core/log.ts';
import type { OnProgress } from '../progress.ts';
import { resolveChain } from '../resolve-chain.ts';
import { externalPart, startEmbedded, type RunningPart } from '../running-part.ts';
import { createToolCache, startWithTools, toolCacheFolder, type ToolCache } from '../tool-cache.ts';
import { devServerArguments } from './flags.ts';
import { waitForTemporal } from './health.ts';
import { TEMPORAL_ADVICE, temporalWays } from './ways.ts';

/** It ends within a second; what it has acknowledged is in its file already. */
const GRACE_MS = 8_000;

export interface TemporalOptions {
  readonly dataDir: string;
  /** `host:port` of a server of yours; without it one is run. */
  readonly address?: string | undefined;
  /** By default "default". */
  readonly namespace?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly tls?: boolean | undefined;
  /** By default that of the last start on the data folder, else a free one. */
  readonly port?: number | undefined;
  readonly uiPort?: number | undefined;
  /** Called when the lock of the data folder was lost: the server has been stopped. */
  readonly onLost?: ((cause: Error) => void) | undefined;
  readonly log: Logger;
  readonly onProgress: OnProgress;
}

/**
 * Finds and starts a Temporal server on the data folder, or takes yours.
 * @throws Error that lists the ways that were tried; or when a port or the data folder is in use.
 */
export function startTemporal(options: TemporalOptions): Promise<RunningPart> {
  const cache = createToolCache(toolCacheFolder(), options.onProgress);
  return startWithTools(cache, () => findAndStart(options, cache));
}

async function findAndStart(options: TemporalOptions, cache: ToolCache): Promise<RunningPart> {
  const { address, apiKey, tls, log } = options;
  const namespace = options.namespace ?? 'default';
  const target = address === undefined ? null : { address, namespace, apiKey, tls };
  const { tool, how } = await resolveChain({
    part: 'Temporal server',
    ways: temporalWays(target, cache),
    advice: TEMPORAL_ADVICE,
  });
  if (tool.kind === 'yours') return externalPart(how, address ?? '');

  const databaseFile = resolve(join(options.dataDir, 'temporal', 'temporal.db'));
  await mkdir(dirname(databaseFile), { recursive: true, mode: 0o700 });
  return startEmbedded({
    name: 'temporal',
    how,
    dataDir: options.dataDir,
    store: databaseFile,
    ports: [
      { label: "Temporal's port", key: 'port', wanted: options.port },
      { label: "Temporal's UI port", key: 'uiPort', wanted: options.uiPort },
    ],
    command: ({ port, uiPort }) => ({
      file: tool.path,
      args: devServerArguments({ databaseFile, port, uiPort, namespace }),
    }),
    graceMs: GRACE_MS,
    waitUntilReady: ({ port }, _process, signal) => waitForTemporal(port, namespace, signal),
    describe: ({ port, uiPort }) => ({ address: `127.0.0.1:${port}`, uiUrl: `http://127.0.0.1:${uiPort}` }),
    onLost: options.onLost,
    log,
  });
}
