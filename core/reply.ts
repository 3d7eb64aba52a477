/**
 * The reply channel: how an answer, or its chunks, gets from the lane that makes it to the api process that holds the caller's connection.
 * Everything that goes through it is also stored; losing the channel loses time, never an answer.
 */

/** Header of the internal port, both ways: the id of the api process that is meant, and of the one that answers. */
export const REPLY_PROCESS_HEADER = 'x-flatlane-process';

/** Where the caller waits. Kept with the request's body in MongoDB, never in a workflow's history. */
export interface ReplyAddress {
  /** The api process that holds the connection. */
  readonly processId: string;
  /** Its internal address for workers in other processes, as `http://host:port`. */
  readonly url: string;
  /** One-time token, valid for this request alone. */
  readonly token: string;
}

/** What a call says of itself, as response headers. */
export interface ReplyMeta {
  readonly laneId: string;
  readonly laneAlias: string;
  readonly attempts: number;
  /** Millionths of a dollar that were paid; 0 on a plan lane, null where the price is unknown. */
  readonly costMicros: number | null;
  /** Millionths of a dollar that the meter would have taken; null where price or usage is unknown. */
  readonly meterMicros: number | null;
  readonly ignoredParams: readonly string[];
}

export type ReplyEvent =
  /** A chunk of a streamed answer: the JSON text of a `chat.completion.chunk`. */
  | {
      readonly type: 'chunk';
      readonly json: string;
      readonly laneId: string;
      readonly laneAlias: string;
      readonly attempts: number;
    }
  /** The whole answer is stored; for a request without streaming the body comes along. */
  | { readonly type: 'done'; readonly body: string | null; readonly meta: ReplyMeta }
  /** No lane could answer. `body` is an error body as the caller gets it. */
  | {
      readonly type: 'failed';
      readonly status: number;
      readonly body: string;
      readonly retryAfterMs?: number;
      readonly shouldRetry?: boolean;
      readonly attempts: number;
    };

/** How a request ends for its caller. */
export type ReplyEnd = Exclude<ReplyEvent, { type: 'chunk' }>;

/** One request's end of the channel, held by the activity that serves it. */
export interface ReplySink {
  /** Resolves when the event is taken and the connection can take more; false if nobody waits any more. */
  send(event: ReplyEvent): Promise<boolean>;
  /** Aborted as soon as it is known that the caller is gone. */
  readonly callerGone: AbortSignal;
  /** Releases the connection. Call it once, after the last event. */
  close(): Promise<void>;
}

/** Finds the way to a caller: directly in the same process, over the internal port otherwise. */
export interface ReplyChannel {
  open(requestId: string, address: ReplyAddress): ReplySink;
}
