import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CliIo } from './cli-io.ts';
import { readEnvironment } from './read-environment.ts';

/** The real world of a command: standard streams, the clock and Ctrl-C. */
export function createTerminalIo(interrupted: AbortSignal): CliIo {
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY;
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    now: () => Date.now(),
    interrupted,
    readEnvironment,
    sleep: (ms) => sleep(ms, undefined, { signal: interrupted }),
    confirm: async (question) => {
      if (!isTerminal) return null;
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal: interrupted })).trim());
      } finally {
        lines.close();
      }
    },
    readSecret: async (prompt) => {
      if (!isTerminal) return readAll(process.stdin);
      process.stderr.write(prompt);
      const silent = new Writable({ write: (_bytes, _encoding, done) => done() });
      const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
      try {
        return await lines.question('', { signal: interrupted });
      } finally {
        lines.close();
        process.stderr.write('\n');
      }
    },
  };
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of input) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
