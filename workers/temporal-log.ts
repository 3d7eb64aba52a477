import { DefaultLogger, makeTelemetryFilterString, Runtime, type LogLevel } from '@temporalio/worker';
import type { Logger } from '../core/log.ts';

/** Temporal's words for its levels, and how they go into our log: what it calls info is every worker's every step. */
const LEVELS: Record<LogLevel, 'trace' | 'debug' | 'warn' | 'error'> = {
  TRACE: 'trace',
  DEBUG: 'trace',
  INFO: 'debug',
  WARN: 'warn',
  ERROR: 'error',
};

/** What an activity-only worker says of itself at each start. */
const EXPECTED = /^No (workflows|Nexus services|activities) registered/;

/** Sends the Temporal SDK's log, its native core's included, to ours. Once a process, before the first connection. */
export function logTemporalTo(log: Logger): void {
  const temporal = log.child({ part: 'temporal-sdk' });
  Runtime.install({
    logger: new DefaultLogger('TRACE', ({ level, message, meta }) => {
      temporal[EXPECTED.test(message) ? 'debug' : LEVELS[level]](meta ?? {}, message);
    }),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) } },
    // The process has a shutdown of its own, in phases.
    shutdownSignals: [],
  });
}
