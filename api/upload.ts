import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { ApiError } from '../core/errors.ts';
import { newFileId } from '../core/ids.ts';
import { readExpiresAfter } from '../core/wire/expires-after.ts';
import { readFileName } from '../core/wire/file-name.ts';
import { DEFAULT_FILE_LIFE_SECONDS } from '../core/wire/file-object.ts';
import type { WrittenBytes } from '../store/file-bytes.ts';
import type { FileDoc, FileStore } from '../store/files.ts';
import { createFirstLineCheck } from './first-line.ts';
import { letPass, refuseCutOff, toFormError } from './form-errors.ts';

/** Bounds of the form around the file: five short fields are all that is ever read. */
export const UPLOAD_LIMITS = { files: 1, fields: 20, fieldSize: 1024, fieldNameSize: 100, headerPairs: 50 };

/** What the form may add to the file's bytes in the request. */
const FORM_BYTES = 64 * 1024;

interface UploadDeps {
  readonly clock: Clock;
  readonly maxFileBytes: number;
}

/** What becomes of an upload: where its bytes go, and how its file gets to be seen. */
export interface UploadTarget {
  readonly fileId: string;
  readonly write: (source: AsyncIterable<Uint8Array>) => Promise<WrittenBytes>;
  /** Takes the file that was received whole and accepted; resolves with the one that stands. */
  readonly keep: (file: FileDoc) => Promise<FileDoc>;
  /** Takes back what was written of an upload that was refused or broke off. */
  readonly discard: () => Promise<void>;
}

/** A new file of its own. */
export function newFileTarget(files: FileStore): UploadTarget {
  const fileId = newFileId();
  return {
    fileId,
    write: (source) => files.bytes.write(fileId, source),
    async keep(file) {
      await files.insertOnce(file);
      return file;
    },
    discard: () => files.discard(fileId),
  };
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
export function createUpload({ clock, maxFileBytes }: UploadDeps) {
  const tooLarge = (): ApiError =>
    new ApiError('invalid_request', `The file is too large: at most ${maxFileBytes} bytes are accepted.`, {
      param: 'file',
    });

  const storePart = async (part: MultipartFile, target: UploadTarget): Promise<StoredPart> => {
    const filename = readFileName(part.filename, 'file');
    const firstLine = createFirstLineCheck(filename);
    const written = await target.write(firstLine.watch(part.file));
    return { ...written, filename, firstLineProblem: await firstLine.problem() };
  };

  return async function upload(request: FastifyRequest, target: UploadTarget): Promise<FileDoc> {
    if (!request.isMultipart()) {
      throw new ApiError('unsupported_media_type', 'The content type must be multipart/form-data.');
    }
    const { fileId } = target;
    const fields = new Map<string, string>();
    let stored: StoredPart | undefined;
    try {
      if (Number(request.headers['content-length'] ?? 0) > maxFileBytes + FORM_BYTES) throw tooLarge();
      refuseCutOff(request);
      for await (const part of request.parts()) {
        if (part.type === 'field') readField(part, fields);
        else if (part.fieldname !== 'file') {
          throw new ApiError('invalid_request', "The file must be in the field 'file'.", { param: part.fieldname });
        } else {
          stored = await storePart(part, target);
          if (part.file.truncated || stored.bytes > maxFileBytes) throw tooLarge();
        }
      }
      const file = judge(stored, fields, { fileId, ownerId: request.caller.keyId, now: clock.now() });
      return await target.keep(file);
    } catch (cause) {
      letPass(request, maxFileBytes);
      // What can't be taken back now, because the store is away or full, housekeeping finds by its bytes.
      if (stored !== undefined) await target.discard().catch(() => undefined);
      throw toFormError(cause);
    }
  };
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
