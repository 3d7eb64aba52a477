import { readFile } from 'node:fs/promises';
import { parseJson } from '../core/wire/json-object.ts';
import { CliError } from './cli-error.ts';

/** A template out of a file. What is in it the API checks. @throws CliError when it can't be read, or is no JSON */
export async function readTemplate(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new CliError(`The file '${path}' can't be read.`);
  });
  const template = parseJson(text);
  if (template === undefined || template === null) throw new CliError(`The file '${path}' is no JSON.`);
  return template;
}
