import type { Client } from '@temporalio/client';
import type { Clock } from '../../core/clock.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { completionWorkflowId } from '../../core/contracts/ids.ts';
import { TASK_PRIORITY, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import { COMPLETION_DEADLINE_MS } from '../../core/contracts/timings.ts';
import { ApiError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { ReplyHub } from '../../core/reply-hub.ts';
import type { ReplyEvent, ReplyMeta } from '../../core/reply.ts';
import type { RequestStore } from '../../store/requests.ts';
import type { completionWorkflow } from '../../workflows/completion.ts';

export type ReplyEnd = Exclude<ReplyEvent, { type: 'chunk' }>;
export type ReplyChunk = Extract<ReplyEvent, { type: 'chunk' }>;

/** Request and answer stay in the database this long: a repeat, or a look at what happened. */
const KEEP_REQUEST_MS = 24 * 3_600_000;

/**
 * If the reply channel has said nothing for this long, the workflow is watched as well. Not from the start: each watcher
 * is a long poll at the Temporal server.
 */
const WATCH_WORKFLOW_AFTER_MS = 5_000;

export interface RunCompletionDeps {
  readonly client: Client;
  /** True when the worker shares the client's connection, so that a first task can come with the start. */
  readonly eagerStart: boolean;
  readonly requests: RequestStore;
  readonly hub: ReplyHub;
  /** The address of this process's internal port. */
  readonly internalUrl: () => string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CompletionCall {
  readonly requestId: string;
  readonly keyId: string;
  readonly model: string;
  readonly body: unknown;
  readonly stream: boolean;
  readonly plan: readonly PlannedLane[];
  /** Aborted when the caller's connection is gone: the work is cancelled. */
  readonly signal: AbortSignal;
  /** Resolves when the caller can take more; false when the caller is gone. */
  onChunk(chunk: ReplyChunk): Promise<boolean>;
}

/**
 * Runs one completion as a workflow and resolves with its end. The body is stored before the workflow starts; the answer
 * comes over the reply channel, or from the database when the channel was lost.
 */
export function createRunCompletion(deps: RunCompletionDeps) {
  const { client, requests, hub, clock, log } = deps;

  const watch = async (workflowId: string, requestId: string): Promise<ReplyEnd> => {
    const handle = client.workflow.getHandle<typeof completionWorkflow>(workflowId);
    const outcome = await handle.result();
    const result = (await requests.find(requestId))?.result;
    if (result === undefined || result === null) throw new Error('the workflow is over and there is no result');
    const attempts = outcome.attempts.length;
    if (result.laneId === null || result.status !== 200) {
      return { type: 'failed', status: result.status, body: result.body, attempts };
    }
    const unknown: ReplyMeta = {
      laneId: result.laneId,
      laneAlias: result.laneId,
      attempts,
      costMicros: null,
      meterMicros: null,
      ignoredParams: [],
    };
    return { type: 'done', body: result.body, meta: unknown };
  };

  return async function runCompletion(call: CompletionCall): Promise<ReplyEnd> {
    const { requestId, keyId, model, stream, signal } = call;
    const workflowId = completionWorkflowId(requestId);
    const createdAt = clock.now();
    const deadlineAt = createdAt + COMPLETION_DEADLINE_MS;
    let watchdog: NodeJS.Timeout | undefined;

    const replied = new Promise<ReplyEnd>((resolve, reject) => {
      const { token } = hub.expect(requestId, async (event) => {
        if (event.type === 'chunk') return call.onChunk(event);
        resolve(event);
        return true;
      });
      signal.addEventListener('abort', () => reject(new CallerGone()), { once: true });
      const replyTo = { processId: hub.processId, url: deps.internalUrl(), token };
      const start = async (): Promise<void> => {
        await requests.insert({
          _id: requestId,
          keyId,
          model,
          body: JSON.stringify(call.body),
          stream,
          replyTo,
          createdAt,
          expireAt: createdAt + KEEP_REQUEST_MS,
          result: null,
        });
        await client.workflow.start<typeof completionWorkflow>('completionWorkflow', {
          workflowId,
          taskQueue: WORKFLOW_TASK_QUEUE,
          args: [{ requestId, keyId, plan: call.plan, deadlineAt }],
          workflowExecutionTimeout: COMPLETION_DEADLINE_MS + 60_000,
          requestEagerStart: deps.eagerStart,
          priority: { priorityKey: TASK_PRIORITY.interactive, fairnessKey: keyId },
          staticSummary: `${model} for ${keyId}`,
        });
        watchdog = setTimeout(() => {
          watch(workflowId, requestId).then(resolve, reject);
        }, WATCH_WORKFLOW_AFTER_MS);
      };
      start().catch((cause: unknown) => {
        reject(
          new ApiError(
            'server_is_overloaded',
            'The request could not be taken in: the database or the Temporal server does not answer.',
            {
              retryAfterMs: 1_000,
              cause,
            },
          ),
        );
      });
    });

    try {
      return await replied;
    } catch (error) {
      if (!(error instanceof CallerGone)) throw error;
      client.workflow
        .getHandle(workflowId)
        .cancel()
        .catch((cause: unknown) => log.info({ err: cause, requestId }, 'a completion could not be cancelled'));
      throw error;
    } finally {
      clearTimeout(watchdog);
      hub.forget(requestId);
    }
  };
}

export type RunCompletion = ReturnType<typeof createRunCompletion>;

/** Nobody is left to answer. */
export class CallerGone extends Error {
  constructor() {
    super('the caller closed the connection');
    this.name = 'CallerGone';
  }
}
