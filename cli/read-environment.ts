import { Command, Option } from 'commander';

/**
 * Reads an environment variable that the user named on the command line, through the same door as all settings of the command
 * line: commander's `.env()`. Nothing else of the environment is looked at.
 */
export function readEnvironment(name: string): string | undefined {
  const reader = new Command().addOption(new Option('--value <value>').env(name));
  return reader.parse([], { from: 'user' }).opts<{ value?: string }>().value;
}
