import { toUnixSeconds } from '../clock.ts';

/** What can be at a file's `purpose`: given by the caller, and made by us. */
export type FilePurpose = 'batch' | 'batch_output';

/** A file as it is known to us; times are Unix milliseconds. */
export interface FileFacts {
  readonly _id: string;
  readonly bytes: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly filename: string;
  readonly purpose: FilePurpose;
}

/** OpenAI's file object; times are Unix seconds. */
export interface FileObject {
  readonly id: string;
  readonly object: 'file';
  readonly bytes: number;
  readonly created_at: number;
  readonly filename: string;
  readonly purpose: FilePurpose;
  readonly status: 'processed';
  readonly expires_at: number;
  readonly status_details: null;
}

/** OpenAI's limit for a batch's input. */
export const MAX_BATCH_FILE_BYTES = 200 * 1024 * 1024;

/** Input and output of batches live 30 days unless the caller says otherwise, as at OpenAI. */
export const DEFAULT_FILE_LIFE_SECONDS = 30 * 24 * 3600;

export function toFileObject(file: FileFacts): FileObject {
  return {
    id: file._id,
    object: 'file',
    bytes: file.bytes,
    created_at: toUnixSeconds(file.createdAt),
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed',
    expires_at: toUnixSeconds(file.expiresAt),
    status_details: null,
  };
}
