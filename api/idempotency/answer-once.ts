import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IdempotencyDoc } from '../../store/idempotency.ts';
import type { Claims } from './claims.ts';
import { keptRefusal, sendKept } from './kept-answer.ts';
import { readIdempotencyKey } from './read-key.ts';

/** Pauses between two looks at a claim that somebody else works on, in milliseconds. */
const FIRST_LOOK_MS = 20;
const LONGEST_LOOK_MS = 500;

/** What a route makes, under the id that was chosen for it. Called again with the same id where a process died in it. */
export type Make = (workId: string, isKeyed: boolean) => Promise<object>;

/**
 * Idempotency for a route that makes one thing and answers with it as JSON. Without a key it makes one at each call. With one,
 * it makes one for all repeats, which wait for it and get the same answer. A route opts in by answering through this.
 */
export function createAnswerOnce(claims: Claims) {
  const make = async (reply: FastifyReply, claim: IdempotencyDoc, work: Make): Promise<FastifyReply> => {
    return claims.whileHeld(claim, async () => {
      try {
        const body = JSON.stringify(await work(claim.workId, true));
        await claims.finish(claim, { status: 200, headers: {}, body });
        return reply.type('application/json').send(body);
      } catch (error) {
        const refusal = keptRefusal(error);
        if (refusal !== undefined) await claims.finish(claim, refusal);
        throw error;
      }
    });
  };

  return async function answerOnce(
    request: FastifyRequest,
    reply: FastifyReply,
    newId: () => string,
    work: Make,
  ): Promise<FastifyReply> {
    const keyed = readIdempotencyKey(request);
    if (keyed === undefined) return reply.send(await work(newId(), false));
    for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_LOOK_MS)) {
      const { claim, isMine } = await claims.enter(keyed.claimId, keyed.bodyHash, newId());
      if (isMine) return make(reply, claim, work);
      if (claim.answer !== null) return sendKept(reply, claim.answer);
      if (!claims.isHeld(claim)) {
        const taken = await claims.goOn(claim);
        if (taken !== null) return make(reply, taken, work);
      }
      if (reply.raw.destroyed) return reply.hijack();
      await sleep(pauseMs);
    }
  };
}
