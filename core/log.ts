import { pino, type Logger } from 'pino';
import { createLogStream, standardError, type LogStream } from './log-stream.ts';
import { scrub } from './scrub.ts';

export type { Logger };

/** Fields that never belong in a log line, wherever they turn up. */
const REDACTED_PATHS = [
  'authorization',
  'apiKey',
  'body',
  'headers',
  '*.authorization',
  '*.apiKey',
  '*.body',
  '*.headers',
  'req.headers',
];

/** The logger of a process: JSON lines on standard error, secrets removed by name and by shape. */
export function createLogger(level: string, name: string): Logger {
  return pino(
    {
      level,
      name,
      redact: { paths: REDACTED_PATHS, censor: '[removed]' },
      hooks: {
        streamWrite: (line) => scrub(line),
      },
    },
    standardErrorOfProcess(),
  );
}

let shared: LogStream | undefined;

/** One stream for all loggers of the process, so that their lines stay whole; what waits is written when the process ends. */
function standardErrorOfProcess(): LogStream {
  if (shared === undefined) {
    const stream = createLogStream(standardError);
    process.on('exit', () => stream.flushSync());
    shared = stream;
  }
  return shared;
}
