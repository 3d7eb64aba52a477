import { randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import type { ApiClient } from './api-client.ts';
import { fileAnswer } from './api-shapes.ts';
import { CliError } from './cli-error.ts';

/** Ids of files as the API gives them. */
const FILE_ID = /^file-[0-9a-f]{32}$/;

/**
 * The id of a batch's input: of a file that was uploaded before, which is named by its id, or of one that is uploaded now.
 * @throws CliError when it can't be read
 */
export async function inputFileId(client: ApiClient, pathOrId: string): Promise<string> {
  if (FILE_ID.test(pathOrId)) return pathOrId;
  const form = new FormData();
  form.append('purpose', 'batch');
  form.append('file', await openFile(pathOrId), basename(pathOrId));
  return (await client.request('POST', '/files', fileAnswer, form, randomUUID())).id;
}

async function openFile(path: string): Promise<Blob> {
  try {
    return await openAsBlob(path);
  } catch {
    throw new CliError(`The file '${path}' can't be read.`);
  }
}
