import { CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import type { CliIo } from './cli-io.ts';
import { createProgram } from './program.ts';

/**
 * Runs one command.
 * @param args as after the program's name.
 * @returns the exit code; every failure has been told in one line on standard error.
 */
export async function run(args: readonly string[], io: CliIo): Promise<number> {
  try {
    await createProgram(io).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // commander has told its own errors, and help is none.
    if (error instanceof CommanderError) return error.exitCode;
    if (io.interrupted.aborted && !(error instanceof CliError)) return 130;
    io.err(error instanceof Error ? error.message : 'The command failed.');
    return error instanceof CliError ? error.exitCode : 1;
  }
}
