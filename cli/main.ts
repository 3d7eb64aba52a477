#!/usr/bin/env node
import { run } from './run.ts';
import { createTerminalIo } from './terminal-io.ts';

const interrupt = new AbortController();
// The first Ctrl-C lets the command say how things stand; a second one ends the process at once.
process.once('SIGINT', () => interrupt.abort());
process.exitCode = await run(process.argv.slice(2), createTerminalIo(interrupt.signal));
