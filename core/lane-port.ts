import type { AttemptFailure } from './contracts/failure.ts';

/** What is asked of a lane: which endpoint's body it gets, and which endpoint's answer is wanted. */
export type Operation = 'chat' | 'responses' | 'embeddings';

/**
 * What every lane offers, whatever is behind it. Lanes know nothing of the store, of Temporal or of Fastify:
 * what they learn about themselves (windows, sign-in) goes out through the callbacks of their factories.
 */
export interface Lane {
  /**
   * Tries one request once, without a retry of its own. Never throws: every failure is an outcome with a class.
   * It is over when the promise resolves; nothing goes on behind it.
   */
  complete(call: LaneCall): Promise<LaneOutcome>;
}

export interface LaneCall {
  readonly requestId: string;
  /** Which endpoint this is for; `chat` where it is left out. */
  readonly operation?: Operation;
  /** The caller's body, validated by the operation's schema in `core/wire`, unknown fields included. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The model's name at this lane's provider; replaces `body.model`. */
  readonly model: string;
  /** True if the caller wants chunks as they come. */
  readonly stream: boolean;
  /** Unix milliseconds. */
  readonly deadlineAt: number;
  /** Aborted when the caller is gone, the batch is cancelled or the worker stops. */
  readonly signal: AbortSignal;
  /**
   * Called for each chunk of a streamed answer with the JSON text of a `chat.completion.chunk`, or of an event of the Responses API, in order. Resolves when the
   * caller's connection can take more (back-pressure). Never called when `stream` is false.
   */
  onChunk(chunkJson: string): Promise<void>;
}

/** Tokens as OpenAI counts them; cached is part of prompt, reasoning part of completion. */
export interface TokenUsage {
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  /** Present where they have another price than the listed one: the tier that served them. */
  readonly serviceTier?: string;
}

export type LaneOutcome =
  | {
      readonly ok: true;
      /** The JSON text of the whole answer (a `chat.completion`, a `response`, a list of embeddings), also for a streamed one. */
      readonly body: string;
      /** null where the upstream gave none: unknown stays unknown. */
      readonly usage: TokenUsage | null;
      /** Parameters that had no effect on this lane. */
      readonly ignoredParams: readonly string[];
    }
  | {
      readonly ok: false;
      readonly failure: AttemptFailure;
      /** For caller_fault, model_unavailable and unsupported: the answer that the caller gets if no other lane serves it. */
      readonly callerAnswer?: { readonly status: number; readonly body: string };
    };
