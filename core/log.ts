import { pino, type Logger } from 'pino';
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
    pino.destination({ fd: 2, sync: false }),
  );
}
