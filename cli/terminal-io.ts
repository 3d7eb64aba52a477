import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from './cli-error.ts';
import type { CliIo } from './cli-io.ts';
import { readEnvironment } from './read-environment.ts';

/** The real world of a command: standard streams, the clock and Ctrl-C. */
export function createTerminalIo(interrupted: AbortSignal): CliIo {
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY;
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    live: process.stderr.isTTY ? writeLive : null,
    now: () => Date.now(),
    interrupted,
    readEnvironment,
    sleep: (ms) => sleep(ms, undefined, { signal: interrupted }),
    confirm: async (question) => {
      if (!isTerminal) return null;
      const answer = await ask(createInterface({ input: process.stdin, output: process.stderr }), `${question} [y/N] `);
      return /^y(es)?$/i.test(answer.trim());
    },
    readSecret: async (prompt) => {
      if (!isTerminal) return readAll(process.stdin);
      process.stderr.write(prompt);
      const silent = new Writable({ write: (_bytes, _encoding, done) => done() });
      try {
        return await ask(createInterface({ input: process.stdin, output: silent, terminal: true }), '');
      } finally {
        process.stderr.write('\n');
      }
    },
  };
}

/** Cut to the width of the terminal: a line that wraps could not be written over. */
function writeLive(line: string | null): void {
  const columns = Math.max(20, process.stderr.columns);
  process.stderr.write(line === null ? '\n' : `\r\u001b[2K${line.slice(0, columns - 1)}`);
}

/** A terminal that is asked a question gives Ctrl-C and Ctrl-D to the question and not to the process: both close it. */
async function ask(lines: Interface, question: string): Promise<string> {
  const closed = new Promise<never>((_, reject) => {
    lines.once('close', () => reject(new CliError('Interrupted.', 130)));
  });
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of input) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
