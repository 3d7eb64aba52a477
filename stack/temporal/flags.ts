import { SEARCH_ATTRIBUTES } from '../../core/contracts/search-attributes.ts';

/**
 * The dev server has one history shard, which by default looks for work 20 times a second: after the first tasks every hop
 * waits for a 50 ms tick, and a workflow of one activity takes 100 to 150 ms instead of 49 ms. One partition a queue
 * keeps the order of priorities strict, and polls unforwarded. The request limits are those of a shared cluster.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
  'system.enableActivityEagerExecution=true',
  'matching.enableFairness=true',
  'matching.useNewMatcher=true',
  'matching.rps=10000',
  'frontend.namespaceRPS=10000',
  'frontend.rps=10000',
  'history.rps=20000',
  'frontend.namespaceCount=4000',
  // Ended workflows stay in this cache for an hour, 128,000 of them by default, at 45 KB each (measured): the server grew by
  // 45 MB with each 1,000 completions. What is not in it is read from the database, and never are this many under way at once.
  'history.hostLevelCacheMaxSize=1000',
];

/** Known from the first moment on; on a server of yours the api adds them. All of them are keywords. */
const CUSTOM_SEARCH_ATTRIBUTES = Object.values(SEARCH_ATTRIBUTES);

/** Survives the death of the process; only a power cut can lose the last commits. */
const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'];

interface DevServer {
  readonly databaseFile: string;
  readonly port: number;
  readonly uiPort: number;
  readonly namespace: string;
}

/** The arguments of `temporal` for a tuned server on one file, on the loopback address. */
export function devServerArguments({ databaseFile, port, uiPort, namespace }: DevServer): string[] {
  const listen = ['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)];
  return [
    'server',
    'start-dev',
    ...listen,
    '--db-filename',
    databaseFile,
    '--log-level',
    'error',
    // The CLI makes the default namespace by itself.
    ...(namespace === 'default' ? [] : ['--namespace', namespace]),
    ...CUSTOM_SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
    ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
  ];
}
