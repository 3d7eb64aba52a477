import { writeSync } from 'node:fs';
import { createLogger } from '../../core/log.ts';
import { startStack } from '../../stack/start-stack.ts';

/** A process that starts the stack on a data folder, tells the process ids in one line of JSON, and waits to be killed. */
const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error('the data folder is missing');
const { temporal, mongodb } = await startStack({
  dataDir,
  log: createLogger('silent', 'test'),
  onProgress: () => undefined,
});
writeSync(1, `${JSON.stringify({ temporal: temporal.pid, mongodb: mongodb.pid, address: mongodb.address })}\n`);
