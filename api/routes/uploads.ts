import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { toUnixSeconds, type Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { newFileId, newUploadId } from '../../core/ids.ts';
import { MAX_BATCH_FILE_BYTES } from '../../core/wire/file-object.ts';
import {
  readUploadComplete,
  readUploadCreate,
  toUploadObject,
  UPLOAD_LIFE_MS,
  type UploadObject,
} from '../../core/wire/upload-object.ts';
import type { FileStore } from '../../store/files.ts';
import { tidyUpload } from '../../store/finish-upload.ts';
import type { UploadDoc, UploadStore } from '../../store/uploads.ts';
import { UPLOAD_LIMITS } from '../upload.ts';
import { createCompleteUpload } from '../uploads/complete-upload.ts';
import { createReceivePart } from '../uploads/receive-part.ts';

export interface UploadRouteDeps {
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly clock: Clock;
  /** OpenAI's 200 MiB for the input of a batch unless set. */
  readonly maxFileBytes?: number;
  /** OpenAI's 64 MiB unless set. */
  readonly maxPartBytes?: number;
}

interface IdParams {
  readonly Params: { readonly id: string };
}

/** `/v1/uploads`: a file in parts. Another owner's id is a 404. */
export function registerUploadRoutes(app: FastifyInstance, deps: UploadRouteDeps): void {
  const { files, uploads, clock, maxFileBytes = MAX_BATCH_FILE_BYTES } = deps;
  const receivePart = createReceivePart({ ...deps, maxFileBytes });
  const completeUpload = createCompleteUpload(deps);

  const findUpload = async (ownerId: string, uploadId: string): Promise<UploadDoc> => {
    const upload = await uploads.findOwned(ownerId, uploadId);
    if (upload === null) throw new ApiError('not_found', `No such Upload object: ${uploadId}`, { param: 'id' });
    return upload;
  };

  void app.register(async (scope) => {
    await scope.register(multipart, { limits: UPLOAD_LIMITS, throwFileSizeLimit: false });

    scope.post('/v1/uploads', { preValidation: refuseForm }, async ({ body, caller }): Promise<UploadObject> => {
      const create = readUploadCreate(body, maxFileBytes);
      const createdAt = clock.now();
      const upload: UploadDoc = {
        _id: newUploadId(),
        ownerId: caller.keyId,
        ...create,
        purpose: 'batch',
        createdAt,
        expiresAt: createdAt + UPLOAD_LIFE_MS,
        status: 'pending',
        fileId: newFileId(),
        partBytes: 0,
        partCount: 0,
        completion: null,
        tidied: false,
      };
      await uploads.insert(upload);
      return toUploadObject(upload, 'pending', null);
    });

    scope.post<IdParams>('/v1/uploads/:id/parts', async (request) => {
      const upload = await findUpload(request.caller.keyId, request.params.id);
      const { _id, createdAt } = await receivePart(request, upload);
      return { id: _id, object: 'upload.part', created_at: toUnixSeconds(createdAt), upload_id: upload._id };
    });

    scope.post<IdParams>(
      '/v1/uploads/:id/complete',
      { preValidation: refuseForm },
      async ({ params, body, caller }): Promise<UploadObject> => {
        const found = await findUpload(caller.keyId, params.id);
        const upload = await completeUpload(found, readUploadComplete(body));
        return toUploadObject(upload, 'completed', await files.findOwned(caller.keyId, upload.fileId, clock.now()));
      },
    );

    scope.post<IdParams>('/v1/uploads/:id/cancel', async ({ params, caller }): Promise<UploadObject> => {
      const found = await findUpload(caller.keyId, params.id);
      const upload = (await uploads.end(found._id, 'cancelled')) ?? (await findUpload(caller.keyId, found._id));
      // A repeat says the same again: the first answer may have been lost.
      if (upload.status !== 'cancelled') {
        throw new ApiError('conflict', `Cannot cancel an upload with status '${statusTold(upload)}'.`);
      }
      await tidyUpload(deps, upload);
      return toUploadObject(upload, 'cancelled', null);
    });
  });
}

/** The parts of an upload come as forms; what is said of it is JSON. */
async function refuseForm(request: FastifyRequest): Promise<void> {
  if (!request.isMultipart()) return;
  throw new ApiError('unsupported_media_type', 'Send the body as `Content-Type: application/json`.');
}

/** One whose parts are being made a file is as good as completed. */
function statusTold({ status }: UploadDoc): string {
  return status === 'completing' ? 'completed' : status;
}
