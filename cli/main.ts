#!/usr/bin/env node
import { run } from './run.ts';
import { createTerminalIo } from './terminal-io.ts';

/** As shells count a program that ended by SIGPIPE. */
const NOBODY_READS = 141;

const interrupt = new AbortController();
// The first Ctrl-C lets the command say how things stand; a second one ends the process at once.
process.once('SIGINT', () => interrupt.abort());
for (const stream of [process.stdout, process.stderr]) {
  // Whoever reads along may go away (`| head`): there is nothing left to say then, and nobody to say it to.
  stream.on('error', () => process.exit(NOBODY_READS));
}
process.exitCode = await run(process.argv.slice(2), createTerminalIo(interrupt.signal));
