import { Readable } from 'node:stream';
import multipart from '@fastify/multipart';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { MAX_BATCH_FILE_BYTES, toFileObject, type FilePurpose } from '../../core/wire/file-object.ts';
import { queryText, readListQuery, toListPage } from '../../core/wire/list-page.ts';
import type { BatchStore } from '../../store/batches.ts';
import type { FileDoc, FileStore } from '../../store/files.ts';
import type { IdempotencyStore } from '../../store/idempotency.ts';
import { releaseFile } from '../../store/release-file.ts';
import { createUploadOnce } from '../idempotency/upload-once.ts';
import { createUpload, UPLOAD_LIMITS } from '../upload.ts';

export interface FileRouteDeps {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
  /** OpenAI's 200 MiB unless set. */
  readonly maxFileBytes?: number;
}

interface IdParams {
  readonly Params: { readonly id: string };
}

type Query = Readonly<Record<string, unknown>>;

const LIST_BOUNDS = { defaultLimit: 10_000, maxLimit: 10_000 };

/** `/v1/files`: upload, list, read, content, delete. Every query has the caller's key in it; another owner's id is a 404. */
export function registerFileRoutes(app: FastifyInstance, deps: FileRouteDeps): void {
  const { files, clock, maxFileBytes = MAX_BATCH_FILE_BYTES } = deps;
  const uploadOnce = createUploadOnce({ ...deps, upload: createUpload({ clock, maxFileBytes }) });

  const findFile = async (ownerId: string, fileId: string): Promise<FileDoc> => {
    const file = await files.findOwned(ownerId, fileId, clock.now());
    if (file === null) throw noSuchFile(fileId);
    return file;
  };

  void app.register(async (scope) => {
    await scope.register(multipart, {
      // One byte more than allowed passes, so that a file of exactly the limit is told from a larger one.
      limits: { ...UPLOAD_LIMITS, fileSize: maxFileBytes + 1 },
      throwFileSizeLimit: false,
    });

    scope.post('/v1/files', uploadOnce);

    scope.get<{ Querystring: Query }>('/v1/files', async ({ query, caller }) => {
      const page = readListQuery(query, LIST_BOUNDS);
      const purpose = queryText(query, 'purpose');
      const after = page.after === null ? null : await files.findPlace(caller.keyId, page.after);
      if (page.after !== null && after === null) throw unknownCursor(page.after);
      const { items, hasMore } = await files.list(caller.keyId, clock.now(), {
        ...page,
        after,
        // A purpose that we don't have matches nothing; the filter takes it as a value.
        purpose: purpose as FilePurpose | null,
      });
      return toListPage(items.map(toFileObject), hasMore);
    });

    scope.get<IdParams>('/v1/files/:id', async ({ params, caller }) =>
      toFileObject(await findFile(caller.keyId, params.id)),
    );

    scope.get<IdParams>('/v1/files/:id/content', async ({ params, caller }, reply) => {
      const file = await findFile(caller.keyId, params.id);
      return reply
        .header('content-type', 'application/octet-stream')
        .header('content-length', file.bytes)
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeFilename(file.filename)}`)
        .send(Readable.from(files.bytes.read(file.bodyId), { objectMode: false }));
    });

    scope.delete<IdParams>('/v1/files/:id', async ({ params, caller, log }) => {
      const now = clock.now();
      const file = await files.markDeleted(caller.keyId, params.id, now);
      if (file === null) throw noSuchFile(params.id);
      // It is deleted for good: told otherwise, its owner would try again, and hear that there is no such file.
      await releaseFile(deps, file._id, now).catch((err: unknown) => {
        log.warn(
          { err, fileId: file._id },
          'the bytes of a deleted file could not be removed; the housekeeping does it',
        );
      });
      return { id: file._id, object: 'file', deleted: true };
    });
  });
}

function noSuchFile(fileId: string): ApiError {
  return new ApiError('not_found', `No such File object: ${fileId}`, { param: 'id' });
}

function unknownCursor(after: string): ApiError {
  return new ApiError('invalid_value', `Invalid value for 'after': there is no file ${after}.`, { param: 'after' });
}

/** RFC 8187: what `encodeURIComponent` leaves and a header parameter does not allow is escaped as well. */
function encodeFilename(filename: string): string {
  return encodeURIComponent(filename).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
