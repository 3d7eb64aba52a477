import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import type { Logger } from '../../core/log.ts';
import { echoNotification, readEcho } from './injected-echo.ts';
import { readJsonLines } from './json-lines.ts';
import { RPC_METHODS, type RpcMethod } from './rpc-methods.ts';
import { wellFormedJson } from './well-formed-json.ts';

/** Why a call to the CLI had no result. */
export type RpcErrorKind = 'refused' | 'timeout' | 'busy' | 'lost';

export class RpcError extends Error {
  readonly kind: RpcErrorKind;
  /** JSON-RPC's code where the CLI refused the call. */
  readonly code: number | undefined;

  constructor(kind: RpcErrorKind, message: string, code?: number) {
    super(message);
    this.name = 'RpcError';
    this.kind = kind;
    this.code = code;
  }
}

export interface RpcNotification {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface RpcClient {
  /**
   * @param onLate gets the result if that comes after the time limit. Must not throw
   * @throws RpcError; the CLI's own words are only in the debug log, because they hold addresses and paths.
   */
  call(
    method: RpcMethod,
    params: Readonly<Record<string, unknown>>,
    timeoutMs?: number,
    onLate?: (result: unknown) => void,
  ): Promise<unknown>;
  /** Sends the `initialized` notification, the only one that we have. */
  initialized(): void;
  /** Notifications of one thread go to its listener, in order. Returns the function that ends it. */
  listen(threadId: string, listener: (notification: RpcNotification) => void): () => void;
  /** Gives the listener of a thread, if there is one, what was heard of it elsewhere than on the wire. */
  tell(threadId: string, notification: RpcNotification): void;
  /** Ends every pending call as lost. Called when the process is gone or taken as broken. */
  fail(reason: string): void;
}

export interface RpcClientOptions {
  readonly output: Readable;
  readonly input: Writable;
  readonly log: Logger;
  /** Notifications that belong to no thread, and those of threads that nobody listens to any more. */
  readonly onNotification: (notification: RpcNotification) => void;
  /** Called once when what the process says makes no sense any more. */
  readonly onBroken: (reason: string) => void;
}

/** Sixteen turns with one call each, and some room for account calls; the CLI itself refuses above about 200. */
const MAX_CALLS_IN_FLIGHT = 64;

/** Calls answer within milliseconds; loading a model list over a slow network takes some seconds. */
const CALL_TIMEOUT_MS = 20_000;

/** Lines that are no JSON-RPC, or whose notification nobody can read: a stray print is tolerated, a stream of them is a broken process. */
const MAX_GARBAGE_LINES = 20;

/** Above the largest body that the API takes, base64 and escaping included. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;

const messageSchema = z.object({
  id: z.union([z.number(), z.string()]).optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).nullish(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});
type Message = z.infer<typeof messageSchema>;

interface PendingCall {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: RpcError) => void;
  readonly timer: NodeJS.Timeout;
}

const METHOD_NOT_OURS = -32_601;

/** The JSON-RPC of `codex app-server` over its standard input and output: one JSON object a line. */
export function createRpcClient({ output, input, log, onNotification, onBroken }: RpcClientOptions): RpcClient {
  const pending = new Map<number, PendingCall>();
  const late = new Map<number, (result: unknown) => void>();
  const listeners = new Map<string, (notification: RpcNotification) => void>();
  let nextId = 1;
  let garbageLines = 0;
  let lostReason: string | undefined;

  const send = (message: Readonly<Record<string, unknown>>): void => {
    if (lostReason === undefined && input.writable) input.write(`${wellFormedJson(message)}\n`);
  };

  const fail = (reason: string): void => {
    if (lostReason !== undefined) return;
    lostReason = reason;
    for (const call of pending.values()) {
      clearTimeout(call.timer);
      call.reject(new RpcError('lost', reason));
    }
    pending.clear();
    late.clear();
  };

  const broken = (reason: string): void => {
    if (lostReason !== undefined) return;
    fail(reason);
    onBroken(reason);
  };

  const garbage = (what: string, about: object): void => {
    garbageLines += 1;
    log.debug({ garbageLines, ...about }, what);
    if (garbageLines > MAX_GARBAGE_LINES) broken('the Codex process prints lines that make no sense');
  };

  /** What a listener throws over must not leave the handler of the stream, where it would end this process. */
  const hear = (listener: (notification: RpcNotification) => void, notification: RpcNotification): void => {
    try {
      listener(notification);
    } catch (error) {
      // Of the error its name alone: its text can hold what the CLI said.
      const reason = error instanceof Error ? error.name : 'unknown';
      garbage('a notification of the Codex CLI could not be read', { method: notification.method, reason });
    }
  };

  const tell = (threadId: string, notification: RpcNotification): void => {
    const listener = listeners.get(threadId);
    if (listener !== undefined) hear(listener, notification);
  };

  const settle = (id: number, message: Message): void => {
    const call = pending.get(id);
    if (call === undefined) {
      if (message.error === undefined) late.get(id)?.(message.result);
      late.delete(id);
      return;
    }
    pending.delete(id);
    clearTimeout(call.timer);
    if (message.error === undefined) return call.resolve(message.result);
    log.debug({ code: message.error.code, said: message.error.message }, 'the Codex CLI refused a call');
    call.reject(new RpcError('refused', `The Codex CLI refused a call (${message.error.code}).`, message.error.code));
  };

  const serverRequest = (id: number | string, method: string, threadId: string | undefined): void => {
    // A function call of a live turn stays open: the turn is interrupted when the model's answer is complete, or its stream broken,
    // which ends it. With a result, whatever it says, the CLI would ask the model again as soon as the stream ends.
    if (method === 'item/tool/call' && threadId !== undefined && listeners.has(threadId)) return;
    log.warn({ method }, 'refused a request of the Codex CLI that is not ours to answer');
    send({ id, error: { code: METHOD_NOT_OURS, message: `${method} is not served here` } });
  };

  const readLine = (line: string): void => {
    const echo = readEcho(line);
    if (echo !== undefined) {
      tell(echo.threadId, echoNotification(echo));
      return;
    }
    const message = parseMessage(line);
    if (message === undefined) return garbage('a line of the Codex CLI is no JSON-RPC', { length: line.length });
    const { id, method, params } = message;
    if (method === undefined) return typeof id === 'number' ? settle(id, message) : undefined;
    const threadId = params?.['threadId'];
    const thread = typeof threadId === 'string' ? threadId : undefined;
    if (id !== undefined) return serverRequest(id, method, thread);
    const listener = thread === undefined ? undefined : listeners.get(thread);
    hear(listener ?? onNotification, { method, params: params ?? {} });
  };

  input.on('error', () => broken('the Codex process does not take input any more'));
  readJsonLines(output, MAX_LINE_BYTES, {
    line: readLine,
    tooLong: () => broken('the Codex process printed a line that is too long'),
  });

  return {
    call(method, params, timeoutMs = CALL_TIMEOUT_MS, onLate) {
      if (!RPC_METHODS.includes(method)) throw new Error('This method may not be sent to the Codex process.');
      if (lostReason !== undefined) return Promise.reject(new RpcError('lost', lostReason));
      if (pending.size >= MAX_CALLS_IN_FLIGHT) {
        return Promise.reject(new RpcError('busy', 'Too many calls to the Codex process at once.'));
      }
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          pending.delete(id);
          if (onLate !== undefined) late.set(id, onLate);
          reject(new RpcError('timeout', `The Codex process did not answer ${method} within ${timeoutMs} ms.`));
        }, timeoutMs);
        pending.set(id, { resolve, reject, timer });
        send({ id, method, params });
      });
    },
    initialized: () => send({ method: 'initialized' }),
    listen(threadId, listener) {
      listeners.set(threadId, listener);
      return () => void listeners.delete(threadId);
    },
    tell,
    fail,
  };
}

function parseMessage(line: string): Message | undefined {
  try {
    const result = messageSchema.safeParse(JSON.parse(line));
    if (!result.success) return undefined;
    return result.data.method === undefined && result.data.id === undefined ? undefined : result.data;
  } catch {
    return undefined;
  }
}
