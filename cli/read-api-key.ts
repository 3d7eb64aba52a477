import type { CliContext } from './cli-context.ts';
import { CliError } from './cli-error.ts';

/** A key on the command line would be seen by every process of the machine and kept in the shell's history. */
export async function readApiKey({ io }: CliContext, keyEnv: string | undefined): Promise<string> {
  if (keyEnv !== undefined) {
    const key = io.readEnvironment(keyEnv)?.trim() ?? '';
    if (key === '') throw new CliError(`The environment variable ${keyEnv} is empty or not set.`);
    return key;
  }
  const key = (await io.readSecret('API key (not shown): ')).trim();
  if (key === '' || /\s/.test(key)) {
    throw new CliError('No key came on standard input. Pipe it in, or name its variable with --key-env.');
  }
  return key;
}
