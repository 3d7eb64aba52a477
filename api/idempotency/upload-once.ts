import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { newFileId } from '../../core/ids.ts';
import { toFileObject } from '../../core/wire/file-object.ts';
import type { WrittenBytes } from '../../store/file-bytes.ts';
import type { FileDoc, FileStore } from '../../store/files.ts';
import type { IdempotencyDoc, IdempotencyStore, KeptAnswer } from '../../store/idempotency.ts';
import { storeTrouble } from '../../store/store-trouble.ts';
import { newFileTarget, type UploadTarget } from '../upload.ts';
import { createClaims } from './claims.ts';
import { sendKept } from './kept-answer.ts';
import { keyReused, readIdempotencyKey } from './read-key.ts';

/** How often a repeat looks whether the first upload is over, in milliseconds. */
const LOOK_EVERY_MS = 100;

export interface UploadOnceDeps {
  readonly files: FileStore;
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
  readonly upload: (request: FastifyRequest, target: UploadTarget) => Promise<FileDoc>;
}

/**
 * Idempotency for uploads. What was sent is known only when all of it has passed, so the body is compared then: by a hash over
 * the file's content and name and over what the fields ask for, because the form around them differs from one client to the
 * next. The bytes of a repeat are hashed on the way and dropped. Those of an upload that takes the place of one that died go
 * under an id of their own, and the file's one document says which stand. Nobody takes that document back: once it may be
 * stored, a repeat may have been told of the file.
 */
export function createUploadOnce(deps: UploadOnceDeps) {
  const { files, upload } = deps;
  const claims = createClaims(deps);

  const store = (claim: IdempotencyDoc): UploadTarget => {
    const fileId = claim.workId;
    const bodyId = newFileId();
    /** True when the database has not said what became of the document: it may still come, and its bytes are left to housekeeping. */
    let mayCome = false;
    const insertOnce = async (file: FileDoc): Promise<boolean> => {
      try {
        return await files.insertOnce(file);
      } catch (cause) {
        mayCome = storeTrouble(cause) === 'away';
        throw cause;
      }
    };
    return {
      fileId,
      write: (source) => files.bytes.write(bodyId, source),
      async keep(file) {
        if (!(await claims.learnBody(claim, hashOf(file)))) throw keyReused();
        if (await insertOnce({ ...file, bodyId })) return { ...file, bodyId };
        await files.bytes.remove(bodyId);
        const standing = await files.find(fileId);
        if (standing === null) throw new Error(`file ${fileId} is there and is not`);
        return standing;
      },
      async discard() {
        if (!mayCome && (await files.find(fileId))?.bodyId !== bodyId) await files.bytes.remove(bodyId);
      },
    };
  };

  const storeOnce = (claim: IdempotencyDoc, request: FastifyRequest): Promise<KeptAnswer> =>
    claims.whileHeld(claim, async () => {
      const answer = answerOf(await upload(request, store(claim)));
      await claims.finish(claim, answer);
      return answer;
    });

  /**
   * The answer for the file of a holder that died or gave up. It is kept before it is told: a write behind it that the database has
   * acknowledged says that the file, which was only seen, lasts as well.
   */
  const answerFor = async (claim: IdempotencyDoc): Promise<KeptAnswer> => {
    // Where no body is noted yet a file that comes meanwhile need not be the same as this one.
    const file = claim.bodyHash === null ? null : await files.find(claim.workId);
    if (file === null) throw cutOff();
    const answer = answerOf(file);
    await claims.finish(claim, answer);
    return answer;
  };

  /** The answer to the first upload, once it is there and this one has turned out to be the same; null when nobody waits for it. */
  const join = async (
    claimId: string,
    { workId }: IdempotencyDoc,
    bodyHash: string,
    { raw }: FastifyReply,
  ): Promise<KeptAnswer | null> => {
    while (!raw.destroyed) {
      const claim = await claims.find(claimId);
      if (claim === null || claim.workId !== workId) throw cutOff();
      if (claim.bodyHash !== null) {
        if (claim.bodyHash !== bodyHash) throw keyReused();
        if (claim.answer !== null) return claim.answer;
      }
      if (!claims.isHeld(claim)) return answerFor(claim);
      await sleep(LOOK_EVERY_MS);
    }
    return null;
  };

  return async function uploadOnce(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const keyed = readIdempotencyKey(request);
    if (keyed === undefined) return reply.send(toFileObject(await upload(request, newFileTarget(files))));
    const { claim, isMine } = await claims.enter(keyed.claimId, null, newFileId());
    const isLost =
      !isMine && claim.answer === null && !claims.isHeld(claim) && (await files.find(claim.workId)) === null;
    const mine = isLost ? await claims.goOn(claim) : isMine ? claim : null;
    if (mine !== null) {
      const { status, body } = await storeOnce(mine, request);
      return reply.code(status).type('application/json').send(body);
    }
    const repeated = await upload(request, passOver(claim.workId));
    const answer = await join(keyed.claimId, claim, hashOf(repeated), reply);
    return answer === null ? reply.hijack() : sendKept(reply, answer);
  };
}

/** What was sent: two uploads of the same file with the same wishes are the same. */
function hashOf({ filename, purpose, bytes, sha256, createdAt, expiresAt }: FileDoc): string {
  return createHash('sha256')
    .update(JSON.stringify([filename, purpose, bytes, sha256, expiresAt - createdAt]))
    .digest('hex');
}

/** For the bytes of a repeat, which are stored already or are being stored. */
function passOver(fileId: string): UploadTarget {
  return {
    fileId,
    async write(source): Promise<WrittenBytes> {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const piece of source) {
        hash.update(piece);
        bytes += piece.length;
      }
      return { bytes, sha256: hash.digest('hex') };
    },
    keep: (file) => Promise.resolve(file),
    discard: () => Promise.resolve(),
  };
}

function answerOf(file: FileDoc): KeptAnswer {
  return { status: 200, headers: {}, body: JSON.stringify(toFileObject(file)) };
}

/** Its bytes were read and dropped here, so the caller must send them once more. */
function cutOff(): ApiError {
  return new ApiError('server_is_overloaded', 'The upload that this one repeats was cut off. Send it again.', {
    retryAfterMs: 1_000,
  });
}
