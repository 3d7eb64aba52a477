import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { ApiError } from '../core/errors.ts';
import { newFileId } from '../core/ids.ts';
import { readExpiresAfter } from '../core/wire/expires-after.ts';
import { DEFAULT_FILE_LIFE_SECONDS } from '../core/wire/file-object.ts';
import type { WrittenBytes } from '../store/file-bytes.ts';
import type { FileDoc, FileStore } from '../store/files.ts';
import { createFirstLineCheck } from './first-line.ts';

/** Bounds of the form around the file: five short fields are all that is ever read. */
export const UPLOAD_LIMITS = { files: 1, fields: 20, fieldSize: 1024, fieldNameSize: 100, headerPairs: 50 };

/** What the form may add to the file's bytes in the request. */
const FORM_BYTES = 64 * 1024;

const FILENAME_CHARACTERS = 255;

interface UploadDeps {
  readonly files: FileStore;
  readonly clock: Clock;
  readonly maxFileBytes: number;
}

interface StoredPart extends WrittenBytes {
  readonly filename: string;
  /** Null when the first line is fine. */
  readonly firstLineProblem: string | null;
}

/**
 * `POST /v1/files`: streams the form's file into the store, whatever the order of the form's fields, and judges the whole at the
 * end. The file is visible only after all of it is stored and accepted; the bytes of a refused or broken upload are removed.
 */
export function createUpload({ files, clock, maxFileBytes }: UploadDeps) {
  const tooLarge = (): ApiError =>
    new ApiError('invalid_request', `The file is too large: at most ${maxFileBytes} bytes are accepted.`, {
      param: 'file',
    });

  const storePart = async (part: MultipartFile, bodyId: string): Promise<StoredPart> => {
    const filename = part.filename.slice(0, FILENAME_CHARACTERS);
    if (!filename.toLowerCase().endsWith('.jsonl')) {
      throw new ApiError('invalid_request', 'Invalid file format for Batch API. Must be .jsonl', { param: 'file' });
    }
    const firstLine = createFirstLineCheck();
    const written = await files.bytes.write(bodyId, firstLine.watch(part.file));
    return { ...written, filename, firstLineProblem: await firstLine.problem() };
  };

  return async function upload(request: FastifyRequest): Promise<FileDoc> {
    if (!request.isMultipart()) {
      throw new ApiError('unsupported_media_type', 'The content type must be multipart/form-data.');
    }
    const fileId = newFileId();
    const fields = new Map<string, string>();
    let stored: StoredPart | undefined;
    try {
      if (Number(request.headers['content-length'] ?? 0) > maxFileBytes + FORM_BYTES) throw tooLarge();
      for await (const part of request.parts()) {
        if (part.type === 'field') readField(part, fields);
        else if (part.fieldname !== 'file') {
          throw new ApiError('invalid_request', "The file must be in the field 'file'.", { param: part.fieldname });
        } else {
          stored = await storePart(part, fileId);
          if (part.file.truncated || stored.bytes > maxFileBytes) throw tooLarge();
        }
      }
      const file = judge(stored, fields, { fileId, ownerId: request.caller.keyId, now: clock.now() });
      await files.insertOnce(file);
      return file;
    } catch (cause) {
      letPass(request, maxFileBytes);
      if (stored !== undefined) await files.discard(fileId);
      throw toApiError(cause);
    }
  };
}

/**
 * Reads and drops what is left of a refused upload, so that a client which is still sending gets to read the answer; but not
 * without end.
 */
function letPass({ raw }: FastifyRequest, maxBytes: number): void {
  let left = 2 * maxBytes;
  raw.unpipe();
  raw.on('data', (piece: Buffer) => {
    left -= piece.length;
    if (left < 0) raw.destroy();
  });
  raw.resume();
}

function readField(part: Exclude<Multipart, MultipartFile>, fields: Map<string, string>): void {
  if (typeof part.value !== 'string' || part.valueTruncated || part.fieldnameTruncated || fields.has(part.fieldname)) {
    throw new ApiError('invalid_value', 'A field of the form is not one short text.', { param: part.fieldname });
  }
  fields.set(part.fieldname, part.value);
}

function judge(
  stored: StoredPart | undefined,
  fields: ReadonlyMap<string, string>,
  { fileId, ownerId, now }: { readonly fileId: string; readonly ownerId: string; readonly now: number },
): FileDoc {
  const purpose = fields.get('purpose');
  if (stored === undefined) throw missing('file');
  if (purpose === undefined) throw missing('purpose');
  if (purpose !== 'batch') {
    throw new ApiError('invalid_value', "Invalid value for 'purpose': only 'batch' is served here.", {
      param: 'purpose',
    });
  }
  const life = readLife(fields);
  if (stored.bytes === 0) throw new ApiError('invalid_request', 'The file is empty.', { param: 'file' });
  if (stored.firstLineProblem !== null) {
    throw new ApiError('invalid_request', stored.firstLineProblem, { param: 'file' });
  }
  return {
    _id: fileId,
    ownerId,
    bytes: stored.bytes,
    createdAt: now,
    expiresAt: now + life * 1000,
    filename: stored.filename,
    purpose,
    status: 'processed',
    deletedAt: null,
    sha256: stored.sha256,
    bodyId: fileId,
    bytesRemoved: false,
    batchId: null,
  };
}

function readLife(fields: ReadonlyMap<string, string>): number {
  const anchor = fields.get('expires_after[anchor]');
  const seconds = fields.get('expires_after[seconds]');
  if (anchor === undefined && seconds === undefined) return DEFAULT_FILE_LIFE_SECONDS;
  // A form has only texts; one that is no whole number stays a text and is refused as such.
  const number = seconds !== undefined && /^-?\d{1,12}$/.test(seconds) ? Number(seconds) : seconds;
  return readExpiresAfter({ anchor, seconds: number }, (part) => `expires_after[${part}]`);
}

function missing(param: string): ApiError {
  return new ApiError('missing_required_parameter', `Missing required parameter: '${param}'.`, { param });
}

/** What the form's parser says of a broken form, which has no class or code of its own. */
const BROKEN_FORM = /multipart|Part terminated early|Boundary|Malformed|aborted/i;

function toApiError(cause: unknown): unknown {
  if (cause instanceof ApiError || !(cause instanceof Error)) return cause;
  const code = 'code' in cause ? String(cause.code) : '';
  if (code.startsWith('FST_') || code === 'ECONNRESET' || BROKEN_FORM.test(cause.message)) {
    return new ApiError('invalid_request', 'The form of the upload is broken, incomplete or has too many parts.', {
      cause,
    });
  }
  return cause;
}
