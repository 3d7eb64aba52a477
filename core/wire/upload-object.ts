import { toUnixSeconds } from '../clock.ts';
import { ApiError } from '../errors.ts';
import { readExpiresAfter } from './expires-after.ts';
import { readFileName } from './file-name.ts';
import { toFileObject, type FileFacts, type FileObject } from './file-object.ts';

export type UploadStatus = 'pending' | 'completed' | 'cancelled' | 'expired';

/** OpenAI's limit for one part. */
export const MAX_PART_BYTES = 64 * 1024 * 1024;

/** Parts of one upload: far more than a file of 200 MiB needs, few enough for their list to be one small document. */
export const MAX_PARTS = 1_000;

/** An upload in parts lives one hour, as at OpenAI. */
export const UPLOAD_LIFE_MS = 3_600_000;

/** An upload as it is known to us; times are Unix milliseconds. */
export interface UploadFacts {
  readonly _id: string;
  /** Bytes of the whole, as the caller has told them beforehand. */
  readonly bytes: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly filename: string;
  readonly purpose: 'batch';
}

/** OpenAI's upload object; times are Unix seconds. */
export interface UploadObject {
  readonly id: string;
  readonly object: 'upload';
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number;
  readonly filename: string;
  readonly purpose: 'batch';
  readonly status: UploadStatus;
  readonly file: FileObject | null;
}

export function toUploadObject(upload: UploadFacts, status: UploadStatus, file: FileFacts | null): UploadObject {
  return {
    id: upload._id,
    object: 'upload',
    bytes: upload.bytes,
    created_at: toUnixSeconds(upload.createdAt),
    expires_at: toUnixSeconds(upload.expiresAt),
    filename: upload.filename,
    purpose: upload.purpose,
    status,
    file: file === null ? null : toFileObject(file),
  };
}

/** `POST /v1/uploads`, the request, checked. */
export interface UploadCreate {
  readonly filename: string;
  readonly bytes: number;
  readonly mimeType: string;
  /** Life of the file that comes of it; null when the caller has not set one. */
  readonly fileLifeSeconds: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

const LONGEST_MIME_TYPE = 255;

/** @throws ApiError with OpenAI's code and param. */
export function readUploadCreate(body: unknown, maxFileBytes: number): UploadCreate {
  const fields = objectOf(body);
  const name = textOf(fields, 'filename');
  if (textOf(fields, 'purpose') !== 'batch') {
    throw new ApiError('invalid_value', "Invalid value for 'purpose': only 'batch' is served here.", {
      param: 'purpose',
    });
  }
  const filename = readFileName(name, 'filename');
  const mimeType = textOf(fields, 'mime_type');
  if (!/^[\x21-\x7e ]+$/.test(mimeType) || mimeType.length > LONGEST_MIME_TYPE) {
    throw new ApiError('invalid_value', "Invalid value for 'mime_type'.", { param: 'mime_type' });
  }
  const bytes = fields['bytes'];
  if (bytes === undefined || bytes === null) throw missing('bytes');
  if (typeof bytes !== 'number' || !Number.isInteger(bytes)) {
    throw new ApiError('invalid_type', "Invalid type for 'bytes': expected an integer.", { param: 'bytes' });
  }
  if (bytes < 1 || bytes > maxFileBytes) {
    throw new ApiError('invalid_value', `Invalid value for 'bytes': it must be between 1 and ${maxFileBytes}.`, {
      param: 'bytes',
    });
  }
  return { filename, bytes, mimeType, fileLifeSeconds: readLife(fields['expires_after']) };
}

/** `POST /v1/uploads/{id}/complete`, the request, checked. */
export interface UploadComplete {
  readonly partIds: readonly string[];
  /** Hex, in lower case. */
  readonly md5: string | null;
}

/** @throws ApiError with OpenAI's code and param. */
export function readUploadComplete(body: unknown): UploadComplete {
  const { part_ids: partIds, md5 } = objectOf(body);
  if (partIds === undefined || partIds === null) throw missing('part_ids');
  if (!Array.isArray(partIds) || !partIds.every((partId) => typeof partId === 'string')) {
    throw new ApiError('invalid_type', "Invalid type for 'part_ids': expected an array of strings.", {
      param: 'part_ids',
    });
  }
  if (partIds.length === 0 || partIds.length > MAX_PARTS) {
    throw new ApiError('invalid_value', `Invalid 'part_ids': expected 1 to ${MAX_PARTS} parts.`, { param: 'part_ids' });
  }
  if (new Set(partIds).size < partIds.length) {
    throw new ApiError('invalid_value', "Invalid 'part_ids': a part is named twice.", { param: 'part_ids' });
  }
  if (md5 === undefined || md5 === null) return { partIds, md5: null };
  if (typeof md5 !== 'string') {
    throw new ApiError('invalid_type', "Invalid type for 'md5': expected a string.", { param: 'md5' });
  }
  if (!/^[0-9a-f]{32}$/i.test(md5)) {
    throw new ApiError('invalid_value', "Invalid value for 'md5': expected 32 hexadecimal digits.", { param: 'md5' });
  }
  return { partIds, md5: md5.toLowerCase() };
}

function readLife(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ApiError('invalid_type', "Invalid type for 'expires_after': expected an object.", {
      param: 'expires_after',
    });
  }
  return readExpiresAfter(value, (part) => `expires_after.${part}`);
}

function objectOf(body: unknown): Fields {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields;
  throw new ApiError('invalid_request', 'The body must be a JSON object.');
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (value === undefined || value === null) throw missing(name);
  if (typeof value === 'string') return value;
  throw new ApiError('invalid_type', `Invalid type for '${name}': expected a string.`, { param: name });
}

function missing(param: string): ApiError {
  return new ApiError('missing_required_parameter', `Missing required parameter: '${param}'.`, { param });
}
