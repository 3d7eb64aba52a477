import type { FastifyReply } from 'fastify';
import { ApiError } from '../../core/errors.ts';

/** The batch is stored and will run, so a client that tries again by itself would pay for it twice. */
export function notStarted(reply: FastifyReply, batchId: string, cause: unknown): ApiError {
  reply.header('x-should-retry', 'false');
  return new ApiError(
    'server_is_overloaded',
    `Batch ${batchId} is stored, but could not be started yet. It will start by itself: do not send it again.`,
    { cause },
  );
}
