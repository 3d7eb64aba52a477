import { z } from 'zod';
import type { TokenUsage } from '../../core/lane-port.ts';
import { ApiError } from '../../core/errors.ts';
import { classifyTurnError, type TurnFailure } from './classify-failure.ts';
import type { CodexProcess } from './codex-process.ts';
import { createEventQueue, type EventQueue } from './event-queue.ts';
import { watchImages } from './image-watch.ts';
import { endIfSilent, watchSilence } from './liveness.ts';
import { RpcError, type RpcNotification } from './rpc-client.ts';
import { threadStartParams } from './thread-start.ts';
import type { Answer, TurnEnd } from './translate-answer.ts';
import type { TurnRequest } from './translate-request.ts';
import { readTurnEvent } from './turn-events.ts';
import { createTurnStop, TurnStopped, type TurnStop } from './turn-stop.ts';
import { createUsageOfCutAnswers } from './usage-of-cut-answers.ts';

export interface TurnCall {
  readonly model: string;
  readonly request: TurnRequest;
  readonly answer: Answer;
  /** The empty folder that the thread is told to be in. */
  readonly workDir: string;
  readonly remainingMs: number;
  readonly signal: AbortSignal;
  /** Gets each chunk in order; undefined where the caller wants the whole answer only. */
  readonly onChunk: ((chunkJson: string) => Promise<void>) | undefined;
}

export type TurnResult =
  | { readonly ok: true; readonly body: string; readonly usage: TokenUsage | null }
  | {
      readonly ok: false;
      readonly failure: TurnFailure;
      /** True once a chunk was handed to the caller. */
      readonly answerStarted: boolean;
      /** True once the CLI was told to ask the model. */
      readonly reachedUpstream: boolean;
    };

/** Ending a turn takes 2 ms, and 100 ms where the CLI sits in a pause between its own retries. */
const CLEANUP_TIMEOUT_MS = 3_000;

/** The CLI's own sign that it has too much to do. */
const RPC_OVERLOADED = -32_001;

const threadStarted = z.object({ thread: z.object({ id: z.string() }) });
const turnStarted = z.object({ turn: z.object({ id: z.string() }) });

/** The CLI can't read an image, and would ask the model with a sentence in its place. */
class ImageLeftOut extends Error {
  readonly param: string;

  constructor(param: string) {
    super('An image was left out.');
    this.name = 'ImageLeftOut';
    this.param = param;
  }
}

/** What a turn has come to, for its end and its clean-up. */
interface Progress {
  threadId?: string;
  turnId?: string;
  turnIsOver: boolean;
  answerStarted: boolean;
  reachedUpstream: boolean;
  /** Takes the listener of the thread away. */
  unlisten?: () => void;
}

/**
 * Runs one completion as one turn of a thread of its own: thread/start, inject, turn/start, events, and away with the thread.
 * Never throws. When it resolves nothing of the turn goes on: it is interrupted where it is not over by itself,
 * and as soon as it starts where the CLI starts it late.
 */
export async function runTurn(process: CodexProcess, call: TurnCall): Promise<TurnResult> {
  const stop = createTurnStop({
    signal: call.signal,
    remainingMs: call.remainingMs,
    onProcessExit: (listener) => process.onExit(listener),
  });
  const progress: Progress = { turnIsOver: false, answerStarted: false, reachedUpstream: false };
  try {
    const queue = await startTurn(process, call, stop, progress);
    const end = await follow(process, call, stop, queue, progress);
    if (end.type !== 'answered') return failed(progress, failureOfEnd(end));
    return { ok: true, body: JSON.stringify(call.answer.completion(end.finishReason)), usage: call.answer.usage() };
  } catch (cause) {
    return failed(progress, await failureOfThrown(cause, process, progress));
  } finally {
    stop.release();
    await cleanUp(process, progress);
  }
}

/** The calls are answered by the process itself within milliseconds; they are not raced, so that no thread is lost. */
async function startTurn(
  process: CodexProcess,
  { model, request, workDir }: TurnCall,
  stop: TurnStop,
  progress: Progress,
): Promise<EventQueue<RpcNotification>> {
  const { rpc } = process;
  stop.check();
  const started = await rpc.call(
    'thread/start',
    threadStartParams({ model, workDir, dynamicTools: request.dynamicTools, verbosity: request.verbosity }),
  );
  const threadId = threadStarted.parse(started).thread.id;
  progress.threadId = threadId;
  const queue = createEventQueue<RpcNotification>();
  const images = watchImages(request.items);
  progress.unlisten = rpc.listen(threadId, (notification) => {
    if (!images.take(notification)) queue.push(notification);
  });
  await rpc.call('thread/inject_items', { threadId, items: request.items });
  if (!(await stop.during(images.allRead()))) throw new ImageLeftOut(request.historyParam);
  stop.check();
  progress.reachedUpstream = true;
  const params = {
    threadId,
    // The whole history is injected: text in here is parsed for mentions and capped at 1,048,576 characters.
    input: [],
    ...(request.effort === undefined ? {} : { effort: request.effort }),
    ...(request.outputSchema === undefined ? {} : { outputSchema: request.outputSchema }),
  };
  const turn = await rpc.call('turn/start', params, undefined, (late) => endLateTurn(process, threadId, late));
  progress.turnId = turnStarted.parse(turn).turn.id;
  return queue;
}

/**
 * Interrupts a turn that has started when its request was over. Nobody listens to it, but the model is asked all the same:
 * measured, the end of its subscription does not end it.
 */
function endLateTurn({ rpc }: CodexProcess, threadId: string, late: unknown): void {
  const started = turnStarted.safeParse(late);
  if (!started.success) return;
  const turnId = started.data.turn.id;
  // Refused, it has ended by itself at this moment.
  void rpc.call('turn/interrupt', { threadId, turnId }, CLEANUP_TIMEOUT_MS).catch(() => undefined);
}

async function follow(
  process: CodexProcess,
  { answer, onChunk }: TurnCall,
  stop: TurnStop,
  queue: EventQueue<RpcNotification>,
  progress: Progress,
): Promise<TurnEnd> {
  const turnId = progress.turnId ?? '';
  const withUsage = createUsageOfCutAnswers();
  const silence = watchSilence(process);
  try {
    for (;;) {
      const notification = await stop.during(queue.next());
      silence.heard();
      for (const event of withUsage(notification, readTurnEvent(notification, turnId))) {
        if (event.type === 'turn_done') progress.turnIsOver = true;
        const step = answer.take(event);
        for (const chunk of onChunk === undefined ? [] : step.chunks) {
          progress.answerStarted = true;
          await stop.during(onChunk === undefined ? Promise.resolve() : onChunk(chunk));
        }
        if (step.end !== undefined) return step.end;
      }
    }
  } finally {
    silence.end();
  }
}

function failed(progress: Progress, failure: TurnFailure): TurnResult {
  return { ok: false, failure, answerStarted: progress.answerStarted, reachedUpstream: progress.reachedUpstream };
}

function failureOfEnd(end: Exclude<TurnEnd, { type: 'answered' }>): TurnFailure {
  switch (end.type) {
    case 'failed':
      return classifyTurnError(end.error);
    case 'no_call':
      // Nothing is wrong with the lane, and a key lane can force the call.
      return { class: 'unsupported', param: 'tool_choice', reason: 'the model answered without the call asked for' };
    case 'nonsense':
      return { class: 'broken', reason: end.reason };
  }
}

async function failureOfThrown(cause: unknown, process: CodexProcess, progress: Progress): Promise<TurnFailure> {
  if (cause instanceof TurnStopped) {
    if (cause.reason === 'cancelled') return { class: 'cancelled', reason: 'the caller does not wait any more' };
    if (cause.reason === 'deadline') return { class: 'broken', reason: 'no answer within the time limit' };
    return { class: 'process_lost', reason: 'the Codex process died during the turn', lostProcess: process.pid };
  }
  if (cause instanceof RpcError) return failureOfRpc(cause, process, progress);
  if (cause instanceof z.ZodError) {
    return { class: 'broken', reason: 'the Codex process said something of another shape than its version does' };
  }
  if (cause instanceof ImageLeftOut) return unreadableImage(cause.param);
  // Only onChunk is left: the connection to the caller is gone.
  return { class: 'cancelled', reason: 'the answer can not be delivered any more' };
}

/** A key lane's provider may read what the CLI can't. */
function unreadableImage(param: string): TurnFailure {
  const message = 'An image can not be read: it is damaged, or of a kind that a plan lane does not read.';
  return {
    class: 'unsupported',
    param,
    reason: 'the Codex process can not read an image',
    callerError: new ApiError('unsupported_parameter', message, { param }),
  };
}

async function failureOfRpc(error: RpcError, process: CodexProcess, progress: Progress): Promise<TurnFailure> {
  const lostProcess = process.pid;
  switch (error.kind) {
    case 'lost':
      return { class: 'process_lost', reason: 'the Codex process died during the turn', lostProcess };
    case 'timeout':
      if (await endIfSilent(process)) {
        return { class: 'process_lost', reason: 'the Codex process did not answer and was ended', lostProcess };
      }
      // It answers everybody else: this request is what it can't take. No other lane must lose more than its time with it.
      return {
        class: 'unsupported',
        reason: 'the Codex process does not answer to this request',
        callerError: new ApiError(
          'invalid_request',
          'The request can not be read by the lane. Check tools and messages.',
        ),
      };
    case 'busy':
      return { class: 'lane_unavailable', reason: 'too many calls to the Codex process at once' };
    case 'refused':
      if (error.code === RPC_OVERLOADED) return { class: 'overloaded', reason: 'the Codex process is too busy' };
      return {
        class: 'caller_fault',
        reason: 'the Codex process refused the request',
        callerError: new ApiError('invalid_request', 'The request was refused as invalid. Check tools and messages.', {
          param: progress.threadId === undefined ? 'tools' : 'messages',
        }),
      };
  }
}

async function cleanUp(process: CodexProcess, progress: Progress): Promise<void> {
  const { rpc } = process;
  const { threadId, turnId } = progress;
  if (threadId === undefined) return;
  try {
    if (turnId !== undefined && !progress.turnIsOver) {
      await rpc.call('turn/interrupt', { threadId, turnId }, CLEANUP_TIMEOUT_MS);
    }
  } catch (cause) {
    // Otherwise the turn ended by itself at this moment, or the process is gone.
    if (cause instanceof RpcError && cause.kind === 'timeout') await endIfSilent(process);
  }
  // Only now: while somebody listens, an open function call of the turn is not answered, so the CLI asks the model nothing more.
  progress.unlisten?.();
  // Without it the thread stays loaded: 1.7 MB each.
  await rpc.call('thread/unsubscribe', { threadId }, CLEANUP_TIMEOUT_MS).catch(() => undefined);
}
