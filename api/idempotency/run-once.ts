import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { ReplyEnd } from '../../core/reply.ts';
import { endOfResult } from '../../store/end-of-result.ts';
import type { IdempotencyDoc, KeptAnswer } from '../../store/idempotency.ts';
import type { RequestStore } from '../../store/requests.ts';
import { CallerGone } from '../completions/run-completion.ts';
import type { WatchCompletion } from '../completions/watch-completion.ts';
import type { Claims } from './claims.ts';
import { isKeptResult, keptRefusal } from './kept-answer.ts';
import type { KeyedRequest } from './read-key.ts';

/** A pause before a look at what another process is about to start, in milliseconds. */
const LOOK_AGAIN_MS = 50;

export interface RunOnceDeps {
  readonly claims: Claims;
  readonly requests: Pick<RequestStore, 'find'>;
  readonly watchCompletion: WatchCompletion;
  readonly clock: Clock;
}

export interface OnceCall {
  readonly keyed: KeyedRequest;
  /** This request's id: the work's as well, unless it is a repeat. */
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Does the work under an id, or joins it where it was begun before. */
  readonly work: (requestId: string) => Promise<ReplyEnd>;
}

/** How a request with a key was answered. `requestId` is the one whose work the answer is. */
export type OnceEnd =
  | { readonly requestId: string; readonly end: ReplyEnd; readonly isReplay: boolean }
  | { readonly requestId: string; readonly refusal: KeptAnswer };

/**
 * Idempotency for completions. The claim holds the request's id, and the work and its answer are found by that id: the
 * workflow while it runs, the stored result afterwards. So nothing is to be handed over when a process dies, and whoever
 * comes first after that goes on. A failure that is not kept is begun anew by the next repeat, under another id.
 */
export function createRunOnce({ claims, requests, watchCompletion, clock }: RunOnceDeps) {
  const work = async (claim: IdempotencyDoc, call: OnceCall): Promise<OnceEnd> => {
    const requestId = claim.workId;
    return claims.whileHeld(claim, async () => {
      try {
        return { requestId, end: await call.work(requestId), isReplay: false };
      } catch (error) {
        // Refused before it was begun: there is no stored result that would say so.
        const refusal = keptRefusal(error);
        if (refusal !== undefined) await claims.finish(claim, refusal);
        throw error;
      }
    });
  };

  /** The end of work that somebody has begun; undefined when it was lost, or has not begun yet. */
  const watch = async (
    { workId }: IdempotencyDoc,
    signal: AbortSignal,
  ): Promise<ReplyEnd | undefined | 'no result'> => {
    try {
      return await unlessGone(
        signal,
        watchCompletion(workId, () => !signal.aborted),
      );
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      if (error instanceof WorkflowFailedError || error instanceof ApiError) return 'no result';
      throw error;
    }
  };

  return async function runOnce(call: OnceCall): Promise<OnceEnd> {
    const { keyed, signal } = call;
    for (;;) {
      if (signal.aborted) throw new CallerGone();
      const { claim, isMine } = await claims.enter(keyed.claimId, keyed.bodyHash, call.requestId);
      const requestId = claim.workId;
      if (isMine) return work(claim, call);
      if (claim.answer !== null) return { requestId, refusal: claim.answer };
      const result = (await requests.find(requestId))?.result ?? null;
      if (result !== null && isKeptResult(result)) {
        return { requestId, end: endOfResult(result, clock.now()), isReplay: true };
      }
      const end = result === null ? await watch(claim, signal) : 'no result';
      if (end !== undefined && end !== 'no result') return { requestId, end, isReplay: true };
      if (end === undefined && claims.isHeld(claim)) {
        await sleep(LOOK_AGAIN_MS);
        continue;
      }
      // Its answer may have been stored while this looked for it: then it is paid for.
      const stored = result === null ? ((await requests.find(requestId))?.result ?? null) : null;
      if (stored !== null && isKeptResult(stored)) continue;
      const taken = end === undefined ? await claims.goOn(claim) : await claims.beginAnew(claim, call.requestId);
      if (taken !== null) return work(taken, call);
    }
  };
}

export type RunOnce = ReturnType<typeof createRunOnce>;

/** Waits for something until the caller is gone. */
async function unlessGone<T>(signal: AbortSignal, wanted: Promise<T>): Promise<T> {
  let stop = (): void => undefined;
  const gone = new Promise<never>((_, reject) => {
    stop = () => reject(new CallerGone());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([wanted, gone]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
