import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { newUploadPartId } from '../../core/ids.ts';
import { MAX_PART_BYTES, MAX_PARTS } from '../../core/wire/upload-object.ts';
import type { FileStore } from '../../store/files.ts';
import type { UploadDoc, UploadPartDoc, UploadStore } from '../../store/uploads.ts';
import { letPass, refuseCutOff, toFormError } from '../form-errors.ts';

/**
 * What the parts of one upload may have together, as a multiple of the largest file: parts whose answer was lost are sent
 * again, and both copies count until the upload is over.
 */
const ROOM_FOR_REPEATS = 2;

interface ReceivePartDeps {
  readonly files: Pick<FileStore, 'bytes'>;
  readonly uploads: UploadStore;
  readonly clock: Clock;
  readonly maxFileBytes: number;
  /** OpenAI's 64 MiB unless set. */
  readonly maxPartBytes?: number;
}

/**
 * Stores one part of an upload as it comes in. Its bytes have no owner until the part is written down and its upload still
 * wants it; a process that dies before that leaves bytes that housekeeping finds.
 */
export function createReceivePart(deps: ReceivePartDeps) {
  const { files, uploads, clock, maxFileBytes, maxPartBytes = MAX_PART_BYTES } = deps;
  const limits = { bytes: ROOM_FOR_REPEATS * maxFileBytes, parts: MAX_PARTS };

  const storeForm = async (request: FastifyRequest, partId: string): Promise<number> => {
    let bytes: number | undefined;
    refuseCutOff(request);
    for await (const part of request.parts({ limits: { fileSize: maxPartBytes + 1 } })) {
      if (part.type === 'field' || part.fieldname !== 'data') {
        throw new ApiError('invalid_request', "The part must be in the field 'data', as a file, and alone.", {
          param: part.fieldname,
        });
      }
      ({ bytes } = await files.bytes.write(partId, part.file));
      if (part.file.truncated || bytes > maxPartBytes) throw tooLarge(maxPartBytes);
    }
    if (bytes === undefined) {
      throw new ApiError('missing_required_parameter', "Missing required parameter: 'data'.", { param: 'data' });
    }
    if (bytes === 0) throw new ApiError('invalid_request', 'The part is empty.', { param: 'data' });
    return bytes;
  };

  const admit = async (part: UploadPartDoc): Promise<void> => {
    if (!(await uploads.admitPart(part, clock.now(), limits))) {
      const upload = await uploads.find(part.uploadId);
      if (upload !== null && isOpen(upload, clock.now())) throw noRoom();
      throw takesNoParts(part.uploadId);
    }
    await uploads.insertPart(part);
    // The upload may have ended between the two, and then nobody would look for this part again.
    if ((await uploads.find(part.uploadId))?.status !== 'pending') throw takesNoParts(part.uploadId);
    await files.bytes.claim(part._id);
  };

  /** What can't be removed now, because the store is away or full, housekeeping finds: nothing stands for these bytes. */
  const takeBack = async (partId: string): Promise<void> => {
    try {
      await uploads.removePart(partId);
      await files.bytes.remove(partId);
    } catch {
      // The failure that brought us here is the one to be told.
    }
  };

  return async function receivePart(request: FastifyRequest, upload: UploadDoc): Promise<UploadPartDoc> {
    const partId = newUploadPartId();
    try {
      if (!request.isMultipart()) {
        throw new ApiError('unsupported_media_type', 'The content type must be multipart/form-data.');
      }
      if (!isOpen(upload, clock.now())) throw takesNoParts(upload._id);
      const bytes = await storeForm(request, partId);
      const part = { _id: partId, uploadId: upload._id, bytes, createdAt: clock.now() };
      await admit(part);
      return part;
    } catch (cause) {
      letPass(request, maxPartBytes);
      await takeBack(partId);
      throw toFormError(cause);
    }
  };
}

function isOpen({ status, expiresAt }: UploadDoc, now: number): boolean {
  return status === 'pending' && expiresAt > now;
}

function tooLarge(maxPartBytes: number): ApiError {
  return new ApiError('invalid_request', `The part is too large: at most ${maxPartBytes} bytes are accepted.`, {
    param: 'data',
  });
}

function noRoom(): ApiError {
  return new ApiError(
    'invalid_request',
    `The parts of this upload are too many: at most ${MAX_PARTS}, and together ${ROOM_FOR_REPEATS} times the largest file.`,
    { param: 'data' },
  );
}

function takesNoParts(uploadId: string): ApiError {
  return new ApiError('conflict', `Upload ${uploadId} takes no parts any more: it is completed, cancelled or expired.`);
}
