import { createHash, type Hash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { UploadComplete } from '../../core/wire/upload-object.ts';
import type { BytesPart } from '../../store/composed-bytes.ts';
import type { FileStore } from '../../store/files.ts';
import { finishUpload, tidyUpload } from '../../store/finish-upload.ts';
import type { UploadCompletion, UploadDoc, UploadStore } from '../../store/uploads.ts';
import { createFirstLineCheck } from '../first-line.ts';

interface CompleteUploadDeps {
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly clock: Clock;
}

/**
 * Makes one file of the parts, in the order that is given. They are read once, for the checks that a whole file has too, and
 * become the file as they are. The decision is one conditional update: of calls at the same time one wins, and a repeat of
 * that one gets the same file.
 */
export function createCompleteUpload({ files, uploads, clock }: CompleteUploadDeps) {
  const choose = async (upload: UploadDoc, partIds: readonly string[]): Promise<BytesPart[]> => {
    const known = new Map((await uploads.listParts(upload._id)).map((part) => [part._id, part.bytes]));
    const chosen = partIds.map((bodyId) => {
      const bytes = known.get(bodyId);
      if (bytes !== undefined) return { bodyId, bytes };
      throw new ApiError('invalid_value', `Invalid 'part_ids': ${upload._id} has no part ${bodyId}.`, {
        param: 'part_ids',
      });
    });
    const total = chosen.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total !== upload.bytes) {
      throw new ApiError(
        'invalid_request',
        `The parts have ${total} bytes together, and ${upload.bytes} were announced when the upload was created.`,
        { param: 'part_ids' },
      );
    }
    return chosen;
  };

  const check = async (
    parts: readonly BytesPart[],
    filename: string,
    md5: string | null,
  ): Promise<{ readonly sha256: string }> => {
    const firstLine = createFirstLineCheck(filename);
    const hashes = { md5: createHash('md5'), sha256: createHash('sha256') };
    for await (const piece of firstLine.watch(readAll(files, parts))) update(hashes, piece);
    if (md5 !== null && hashes.md5.digest('hex') !== md5) {
      throw new ApiError('invalid_request', 'The bytes that arrived do not have the md5 checksum that was given.', {
        param: 'md5',
      });
    }
    const problem = await firstLine.problem();
    if (problem !== null) throw new ApiError('invalid_request', problem, { param: 'part_ids' });
    return { sha256: hashes.sha256.digest('hex') };
  };

  const begin = async (upload: UploadDoc, { partIds, md5 }: UploadComplete): Promise<UploadDoc> => {
    const parts = await choose(upload, partIds);
    const { sha256 } = await check(parts, upload.filename, md5);
    const begun = await uploads.beginCompletion(upload._id, clock.now(), { parts, at: clock.now(), sha256 });
    return begun ?? (await uploads.find(upload._id)) ?? upload;
  };

  return async function completeUpload(found: UploadDoc, asked: UploadComplete): Promise<UploadDoc> {
    const isPending = found.status === 'pending' && found.expiresAt > clock.now();
    const upload = isPending ? await beginOrSee(found, asked) : found;
    if (upload.completion === null) {
      throw new ApiError('conflict', `Upload ${upload._id} can't be completed: it was cancelled or is expired.`);
    }
    if (!isSameOrder(upload.completion, asked.partIds)) {
      throw new ApiError('conflict', `Upload ${upload._id} was completed with other parts, or in another order.`);
    }
    await finishUpload({ files, uploads }, upload);
    await tidyUpload({ files, uploads }, upload);
    return upload;
  };

  /** Parts that vanish while they are read were another call's to take: then what that call has made of the upload counts. */
  async function beginOrSee(found: UploadDoc, asked: UploadComplete): Promise<UploadDoc> {
    try {
      return await begin(found, asked);
    } catch (error) {
      const now = await uploads.find(found._id);
      if (now === null || now.status === 'pending') throw error;
      return now;
    }
  }
}

async function* readAll(files: FileStore, parts: readonly BytesPart[]): AsyncGenerator<Buffer, void, undefined> {
  for (const { bodyId } of parts) yield* files.bytes.read(bodyId);
}

function update(hashes: Readonly<Record<string, Hash>>, piece: Uint8Array): void {
  for (const hash of Object.values(hashes)) hash.update(piece);
}

function isSameOrder(completion: UploadCompletion, partIds: readonly string[]): boolean {
  const { parts } = completion;
  return parts.length === partIds.length && parts.every(({ bodyId }, index) => bodyId === partIds[index]);
}
