import { randomBytes } from 'node:crypto';

/** Random ids with 128 bits, so that none can be guessed. Prefixes as OpenAI has them. */
function randomId(prefix: string): string {
  return prefix + randomBytes(16).toString('hex');
}

export const newRequestId = (): string => randomId('req_');
export const newFileId = (): string => randomId('file-');
export const newBatchId = (): string => randomId('batch_');
export const newKeyId = (): string => randomId('key_');
export const newProcessId = (): string => randomId('proc_');
export const newHostId = (): string => randomId('host_');

/** Lane ids stand in task-queue names and in folder names: short, lower case, no separators. */
export const newLaneId = (): string => randomBytes(6).toString('hex');

/** A one-time token with 256 bits. */
export const newToken = (): string => randomBytes(32).toString('base64url');
