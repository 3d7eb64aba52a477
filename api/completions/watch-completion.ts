import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Clock } from '../../core/clock.ts';
import { completionWorkflowId } from '../../core/contracts/ids.ts';
import { ApiError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { ReplyEnd } from '../../core/reply.ts';
import { endOfResult } from '../../store/end-of-result.ts';
import type { RequestStore } from '../../store/requests.ts';
import type { completionWorkflow } from '../../workflows/completion.ts';

export interface WatchCompletionDeps {
  readonly client: Client;
  readonly requests: RequestStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A server that was away is asked again after this long; it is back within seconds when it is restarted. */
const ASK_AGAIN_AFTER_MS = 1_000;

/**
 * The other way to an answer, for when the reply channel is silent: waits for the end of the workflow and reads the result
 * from the database. A server that is away is no end: the reply channel may be alive, so this goes on while somebody waits.
 */
export function createWatchCompletion({ client, requests, clock, log }: WatchCompletionDeps) {
  const look = async (requestId: string): Promise<ReplyEnd> => {
    const handle = client.workflow.getHandle<typeof completionWorkflow>(completionWorkflowId(requestId));
    const { attempts } = await handle.result();
    const result = (await requests.find(requestId))?.result;
    if (result === undefined || result === null) {
      throw new ApiError('internal', 'The request came to its end without an answer. Send it again.');
    }
    return endOfResult({ attempts: attempts.length, ...result }, clock.now());
  };

  /**
   * @param isWaitedFor false once nobody needs the answer from here any more
   * @throws when the workflow failed or is unknown, or has no result
   */
  return async function watchCompletion(requestId: string, isWaitedFor: () => boolean): Promise<ReplyEnd> {
    for (;;) {
      try {
        return await look(requestId);
      } catch (error) {
        const isOver =
          error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError || error instanceof ApiError;
        if (isOver || !isWaitedFor()) throw error;
        log.info({ err: error, requestId }, 'a completion could not be watched; trying again');
        await sleep(ASK_AGAIN_AFTER_MS);
      }
    }
  };
}

export type WatchCompletion = ReturnType<typeof createWatchCompletion>;
