import type { FastifyReply } from 'fastify';

/**
 * Aborts when the caller leaves before the answer is over. One who left earlier, while the key was looked up say, is known at once: a
 * response tells of its end only when that comes.
 */
export function goneSignal({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableEnded) gone.abort();
  });
  if (raw.destroyed) gone.abort();
  return gone.signal;
}
