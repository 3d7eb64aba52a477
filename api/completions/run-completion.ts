import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { fitsDocument } from '../../core/answer-limit.ts';
import type { Clock } from '../../core/clock.ts';
import type { Drill } from '../../core/contracts/drill.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import { completionWorkflowId } from '../../core/contracts/ids.ts';
import { TASK_PRIORITY, WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import { COMPLETION_DEADLINE_MS } from '../../core/contracts/timings.ts';
import { ApiError } from '../../core/errors.ts';
import type { Operation } from '../../core/lane-port.ts';
import type { Logger } from '../../core/log.ts';
import type { ReplyHub } from '../../core/reply-hub.ts';
import type { ReplyEnd, ReplyEvent } from '../../core/reply.ts';
import { toText } from '../../core/wire/written-text.ts';
import type { RequestStore } from '../../store/requests.ts';
import { storeTrouble } from '../../store/store-trouble.ts';
import type { completionWorkflow } from '../../workflows/completion.ts';
import type { UnderWay } from '../under-way.ts';
import { createChunkDelivery } from './chunk-delivery.ts';
import { createWatchCompletion } from './watch-completion.ts';

export type ReplyChunk = Extract<ReplyEvent, { type: 'chunk' }>;

/** Request and answer stay in the database this long: a repeat, or a look at what happened. */
const KEEP_REQUEST_MS = 24 * 3_600_000;

/**
 * If the reply channel has said nothing for this long, the workflow is watched as well. Not from the start: each watcher
 * is a long poll at the Temporal server.
 */
const WATCH_WORKFLOW_AFTER_MS = 5_000;

/** A stop waits for this. The client alone would try for twenty seconds while the server is away. */
const CALL_OFF_LIMIT_MS = 3_000;

/** What the workflow may take past the deadline: telling the caller that there is no answer. */
const AFTER_DEADLINE_MS = 60_000;

/** Temporal takes summaries of 400 bytes, and a character may take six of them. */
const SUMMARY_MODEL_CHARACTERS = 50;

export interface RunCompletionDeps {
  readonly client: Client;
  /** True when the worker shares the client's connection, so that a first task can come with the start. */
  readonly eagerStart: boolean;
  readonly requests: RequestStore;
  readonly hub: ReplyHub;
  /** The address of this process's internal port. */
  readonly internalUrl: () => string;
  /** Takes up the cancelling of work that nobody waits for any more. */
  readonly underWay: Pick<UnderWay, 'add'>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CompletionCall {
  readonly requestId: string;
  readonly keyId: string;
  readonly model: string;
  readonly operation: Operation;
  readonly body: object;
  readonly stream: boolean;
  readonly plan: readonly PlannedLane[];
  /** How long the request waits for a lane while all are out, in milliseconds; 0: it is told at once. */
  readonly waitMs?: number;
  /** A failure that the owner has played on this request. */
  readonly drill?: Drill | undefined;
  /** True for work that a repeat may ask for: it goes on without its caller, and one that runs or ran already is joined. */
  readonly outlivesCaller?: boolean;
  /** Aborted when the caller's connection is gone: the work is cancelled, unless it outlives its caller. */
  readonly signal: AbortSignal;
  /** Resolves when the caller can take more; false when the caller is gone. */
  onChunk(chunk: ReplyChunk): Promise<boolean>;
}

/**
 * Runs one completion as a workflow and resolves with its end. The body is stored before the workflow starts; the answer
 * comes over the reply channel, or from the database when the channel was lost.
 */
export function createRunCompletion(deps: RunCompletionDeps) {
  const { client, requests, hub, underWay, clock, log } = deps;
  const watchCompletion = createWatchCompletion(deps);

  /** A request has one workflow in its life, whoever starts it and how often. */
  const startOnce = async (options: WorkflowStartOptions<typeof completionWorkflow>): Promise<void> => {
    try {
      await client.workflow.start<typeof completionWorkflow>('completionWorkflow', {
        ...options,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  };

  return async function runCompletion(call: CompletionCall): Promise<ReplyEnd> {
    const { requestId, keyId, model, stream, signal } = call;
    const workflowId = completionWorkflowId(requestId);
    const createdAt = clock.now();
    const waitMs = call.waitMs ?? 0;
    const deadlineAt = createdAt + waitMs + COMPLETION_DEADLINE_MS;
    if (signal.aborted) throw new CallerGone();
    // What was written anew may be longer than what came, and too long for a document: numbers are written out in full.
    const body = toText(call.body);
    if (!fitsDocument(body)) {
      throw new ApiError('request_too_large', 'The request body is larger than this route takes.');
    }
    let watchdog: NodeJS.Timeout | undefined;
    let over = false;
    let started: Promise<void> | undefined;
    let isStartAsked = false;
    let isStartFailed = false;
    const delivery = createChunkDelivery((chunk) => call.onChunk(chunk));
    const isWaitedFor = (): boolean => !over && clock.now() < deadlineAt + AFTER_DEADLINE_MS;

    const watch = async (): Promise<ReplyEnd> => {
      try {
        return await watchCompletion(requestId, isWaitedFor);
      } finally {
        // A slow caller has the answer long after its workflow is over: a channel that still brings it is not lost.
        await delivery.ceased(() => !over);
      }
    };

    const replied = new Promise<ReplyEnd>((resolve, reject) => {
      const { token } = hub.expect(requestId, async (event) => {
        if (event.type === 'chunk') return delivery.pass(event);
        resolve(event);
        return true;
      });
      signal.addEventListener('abort', () => reject(new CallerGone()), { once: true });
      const replyTo = { processId: hub.processId, url: deps.internalUrl(), token };
      const start = async (): Promise<void> => {
        const isNew = await requests.insertOnce({
          _id: requestId,
          keyId,
          model,
          operation: call.operation,
          body,
          stream,
          ...(call.outlivesCaller === true ? { outlivesCaller: true } : {}),
          replyTo,
          createdAt,
          expireAt: createdAt + KEEP_REQUEST_MS,
          result: null,
        });
        isStartAsked = true;
        await startOnce({
          workflowId,
          taskQueue: WORKFLOW_TASK_QUEUE,
          args: [
            {
              requestId,
              keyId,
              plan: call.plan,
              deadlineAt,
              ...(call.drill === undefined ? {} : { drill: call.drill }),
              ...(waitMs === 0 ? {} : { wait: { until: createdAt + waitMs, model } }),
            },
          ],
          workflowExecutionTimeout: waitMs + COMPLETION_DEADLINE_MS + AFTER_DEADLINE_MS,
          requestEagerStart: deps.eagerStart,
          priority: { priorityKey: TASK_PRIORITY.interactive, fairnessKey: keyId },
          staticSummary: `${model.slice(0, SUMMARY_MODEL_CHARACTERS)} for ${keyId}`,
        });
        // With an eager start the answer may be there before the server has said that the workflow is.
        if (over) return;
        watchdog = setTimeout(
          () => {
            watch().then(resolve, reject);
          },
          // What another process has stored answers to that process.
          isNew ? WATCH_WORKFLOW_AFTER_MS : 0,
        );
      };
      started = start();
      started.catch((cause: unknown) => {
        isStartFailed = true;
        // A full disk is told as such by whoever answers errors: it is not over in a moment.
        reject(storeTrouble(cause) === 'full' ? cause : notTakenIn(cause));
      });
    });

    const callOff = async (): Promise<void> => {
      // Not before it is started: there would be nothing to cancel, and it would run for nobody.
      await started?.catch(() => undefined);
      // A start that has failed for us may have succeeded at the server.
      if (!isStartAsked) return;
      await client.withDeadline(Date.now() + CALL_OFF_LIMIT_MS, () => client.workflow.getHandle(workflowId).cancel());
    };

    try {
      return await replied;
    } catch (error) {
      if ((error instanceof CallerGone || isStartFailed) && call.outlivesCaller !== true) {
        const cancelling = callOff().catch((cause: unknown) => {
          if (cause instanceof WorkflowNotFoundError) return;
          log.info({ err: cause, requestId }, 'a completion could not be cancelled');
        });
        underWay.add(cancelling);
      }
      throw error;
    } finally {
      over = true;
      clearTimeout(watchdog);
      hub.forget(requestId);
    }
  };
}

function notTakenIn(cause: unknown): ApiError {
  return new ApiError(
    'server_is_overloaded',
    'The request could not be taken in: the database or the Temporal server does not answer.',
    { retryAfterMs: 1_000, cause },
  );
}

export type RunCompletion = ReturnType<typeof createRunCompletion>;

/** Nobody is left to answer. */
export class CallerGone extends Error {
  constructor() {
    super('the caller closed the connection');
    this.name = 'CallerGone';
  }
}
