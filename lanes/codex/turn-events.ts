import { z } from 'zod';
import type { TokenUsage } from '../../core/lane-port.ts';
import type { RpcNotification } from './rpc-client.ts';
import { upstreamStreamOf } from './upstream-log.ts';

/** What the CLI says about the end of a turn. Its words are read to find the class of a failure, and never passed on. */
export interface TurnError {
  /** `codexErrorInfo`: a name, or the name of a variant that carries an HTTP status. */
  readonly name: string;
  readonly httpStatus?: number;
  /** Message and details together. */
  readonly text: string;
}

/** The events of one turn that an answer is made of. */
export type TurnEvent =
  | { readonly type: 'message_started'; readonly itemId: string; readonly phase: string | null }
  | { readonly type: 'text'; readonly itemId: string; readonly text: string }
  | { readonly type: 'message_done'; readonly itemId: string; readonly text: string; readonly phase: string | null }
  | { readonly type: 'tool_call'; readonly callId: string; readonly name: string; readonly arguments: string }
  /** The model asked for something that was not offered to it. */
  | { readonly type: 'foreign_item'; readonly itemType: string }
  /** The model's response is complete; the CLI has not acted on it yet. */
  | { readonly type: 'response_done'; readonly usage: TokenUsage | null }
  /** The CLI has asked the model; a second time where the first stream broke. */
  | { readonly type: 'model_asked' }
  /** The model's stream has ended without the end of a response; the CLI has not acted on it yet. */
  | { readonly type: 'stream_broken' }
  | { readonly type: 'retrying'; readonly error: TurnError }
  | { readonly type: 'turn_done'; readonly status: string; readonly error: TurnError | null };

const errorSchema = z.object({
  message: z.string(),
  codexErrorInfo: z.unknown(),
  additionalDetails: z.string().nullish(),
});

const agentMessage = z.object({
  type: z.literal('agentMessage'),
  id: z.string(),
  text: z.string(),
  phase: z.string().nullish(),
});
const anyItem = z.looseObject({ type: z.string() });
const functionCall = z.object({
  type: z.literal('function_call'),
  name: z.string(),
  call_id: z.string(),
  arguments: z.string(),
});
const tokenCounts = z.object({
  inputTokens: z.number(),
  cachedInputTokens: z.number(),
  outputTokens: z.number(),
  reasoningOutputTokens: z.number(),
});

const delta = z.object({ turnId: z.string(), itemId: z.string(), delta: z.string() });
const itemEvent = z.object({ turnId: z.string(), item: anyItem });
const rawDone = z.object({ turnId: z.string(), usage: tokenCounts.nullish() });
const threadUsage = z.object({ tokenUsage: z.object({ total: tokenCounts }) });
const errorEvent = z.object({ turnId: z.string(), willRetry: z.boolean(), error: errorSchema });
const turnDone = z.object({ turn: z.object({ id: z.string(), status: z.string(), error: errorSchema.nullish() }) });

/**
 * Reads a notification of a thread. Undefined where it says nothing about the answer of this turn.
 * @throws ZodError if a notification that matters has another shape than the pinned version's.
 */
export function readTurnEvent({ method, params }: RpcNotification, turnId: string): TurnEvent | undefined {
  switch (method) {
    case 'item/agentMessage/delta': {
      const event = delta.parse(params);
      return event.turnId === turnId ? { type: 'text', itemId: event.itemId, text: event.delta } : undefined;
    }
    case 'item/started':
    case 'item/completed': {
      const event = itemEvent.parse(params);
      if (event.turnId !== turnId || event.item.type !== 'agentMessage') return undefined;
      const { id: itemId, text, phase = null } = agentMessage.parse(event.item);
      return method === 'item/started'
        ? { type: 'message_started', itemId, phase }
        : { type: 'message_done', itemId, text, phase };
    }
    case 'rawResponseItem/completed': {
      const event = itemEvent.parse(params);
      return event.turnId === turnId ? readRawItem(event.item) : undefined;
    }
    case 'rawResponse/completed': {
      const event = rawDone.parse(params);
      return event.turnId === turnId ? { type: 'response_done', usage: readUsage(event.usage ?? null) } : undefined;
    }
    case 'error': {
      const event = errorEvent.parse(params);
      if (event.turnId !== turnId || !event.willRetry) return undefined;
      return { type: 'retrying', error: readTurnError(event.error) };
    }
    case 'turn/completed': {
      const { turn } = turnDone.parse(params);
      if (turn.id !== turnId) return undefined;
      const error = turn.error === undefined || turn.error === null ? null : readTurnError(turn.error);
      return { type: 'turn_done', status: turn.status, error };
    }
    default: {
      const stream = upstreamStreamOf({ method, params });
      return stream && { type: stream === 'broken' ? 'stream_broken' : 'model_asked' };
    }
  }
}

/** The tokens of all of a thread's turns so far; undefined where the notification does not say them: no answer fails for that. */
export function readThreadUsage({ method, params }: RpcNotification): TokenUsage | undefined {
  if (method !== 'thread/tokenUsage/updated') return undefined;
  const read = threadUsage.safeParse(params);
  return read.success ? (readUsage(read.data.tokenUsage.total) ?? undefined) : undefined;
}

/** Raw items that are a part of any answer, or that the CLI writes itself into a history which nobody will use again. */
const QUIET_ITEMS: readonly string[] = ['message', 'reasoning', 'function_call_output', 'custom_tool_call_output'];

function readRawItem(item: z.infer<typeof anyItem>): TurnEvent | undefined {
  if (item.type === 'function_call') {
    const call = functionCall.parse(item);
    return { type: 'tool_call', callId: call.call_id, name: call.name, arguments: call.arguments };
  }
  return QUIET_ITEMS.includes(item.type) ? undefined : { type: 'foreign_item', itemType: item.type };
}

function readUsage(counts: z.infer<typeof tokenCounts> | null): TokenUsage | null {
  return (
    counts && {
      promptTokens: counts.inputTokens,
      cachedPromptTokens: counts.cachedInputTokens,
      completionTokens: counts.outputTokens,
      reasoningTokens: counts.reasoningOutputTokens,
    }
  );
}

const statusVariant = z.object({ httpStatusCode: z.number().nullish() });

function readTurnError(error: z.infer<typeof errorSchema>): TurnError {
  const text = [error.message, error.additionalDetails ?? ''].join('\n').trim();
  const info = error.codexErrorInfo;
  if (typeof info === 'string') return { name: info, text };
  const [name, value] = Object.entries(info ?? {})[0] ?? ['other', undefined];
  const variant = statusVariant.safeParse(value);
  const httpStatus = variant.success ? (variant.data.httpStatusCode ?? undefined) : undefined;
  return { name, text, ...(httpStatus === undefined ? {} : { httpStatus }) };
}
