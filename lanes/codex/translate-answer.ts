import type { TokenUsage } from '../../core/lane-port.ts';
import { addUsage } from '../../core/token-usage.ts';
import type { ChatToolCall, FinishReason } from '../../core/wire/chat-answer.ts';
import { finishReasonOf } from './classify-failure.ts';
import type { TurnError, TurnEvent } from './turn-events.ts';

/** How a turn ended for the caller. */
export type TurnEnd =
  | { readonly type: 'answered'; readonly finishReason: FinishReason }
  | { readonly type: 'failed'; readonly error: TurnError }
  /** The model answered in text where the caller demands a function call. */
  | { readonly type: 'no_call' }
  /** The model asked for a tool that was not offered, or the turn ended without an answer. */
  | { readonly type: 'nonsense'; readonly reason: string };

export interface AnswerStep {
  /** JSON texts of chunks, in order. */
  readonly chunks: readonly string[];
  readonly end?: TurnEnd;
}

/** What the caller asked for that decides what belongs to the answer. */
export interface AnswerRules {
  /** Names of the offered functions. */
  readonly toolNames: ReadonlySet<string>;
  /** Only an answer with a function call is one: until it is there, nothing reaches the caller. */
  readonly mustCall: boolean;
  readonly parallelToolCalls: boolean;
  /** Only the final message belongs to the answer: remarks before it would make it unparseable. */
  readonly json: boolean;
}

/** All that an answer has come to. */
export interface AnswerParts {
  readonly content: string;
  readonly toolCalls: readonly ChatToolCall[];
  readonly usage: TokenUsage | null;
}

/** How an answer is written: as a chat completion, or as a response. Called in order: opening, text, finish. */
export interface AnswerWire<Whole extends object> {
  opening(): readonly string[];
  text(text: string): readonly string[];
  finish(finishReason: FinishReason, parts: AnswerParts): readonly string[];
  whole(finishReason: FinishReason, parts: AnswerParts): Whole;
}

/** Makes chunks and the whole answer out of a turn's events. A state machine without input or output. */
export interface Answer<Whole extends object = object> {
  take(event: TurnEvent): AnswerStep;
  /** The whole answer, once a step has ended as answered. */
  completion(finishReason: FinishReason): Whole;
  readonly usage: () => TokenUsage | null;
}

/** The connection broke, and the CLI has asked again: what has come already would come a second time. */
const BEGUN_ANEW: TurnError = { name: 'responseStreamDisconnected', text: 'the answer began anew' };

/** The CLI would wait for the results of the calls before it says so. */
const BROKEN_AFTER_CALLS: TurnError = { name: 'responseStreamDisconnected', text: 'the answer broke off after a call' };

/** Between two messages of one answer, as a remark and the answer after it. */
const MESSAGE_GAP = '\n\n';

export function createAnswer<Whole extends object>(rules: AnswerRules, wire: AnswerWire<Whole>): Answer<Whole> {
  const toolCalls: ChatToolCall[] = [];
  const skipped = new Set<string>();
  let content = '';
  let started = false;
  let usage: TokenUsage | null = null;
  /** Text of the message that is being written, so that the whole text at its end adds only what is missing. */
  let message: { itemId: string; text: string } | undefined;
  /** The message that has begun and is not complete. */
  let openMessage: string | undefined;
  /** The model's stream broke, and the CLI has not asked again. */
  let isBroken = false;

  const parts = (): AnswerParts => ({ content, toolCalls, usage });

  const opening = (): readonly string[] => {
    if (started) return [];
    started = true;
    return wire.opening();
  };

  const addText = (itemId: string, text: string): AnswerStep => {
    if (text === '' || skipped.has(itemId)) return { chunks: [] };
    const gap = message?.itemId === itemId || content === '' ? '' : MESSAGE_GAP;
    if (message?.itemId !== itemId) message = { itemId, text: '' };
    message.text += text;
    content += gap + text;
    return { chunks: rules.mustCall ? [] : [...opening(), ...wire.text(gap + text)] };
  };

  /** The text that was held back while it was not known whether a call would follow. */
  const heldText = (): readonly string[] => (rules.mustCall && content !== '' ? wire.text(content) : []);

  const finish = (finishReason: FinishReason): AnswerStep => ({
    chunks: [...opening(), ...heldText(), ...wire.finish(finishReason, parts())],
    end: { type: 'answered', finishReason },
  });

  const addToolCall = (event: Extract<TurnEvent, { type: 'tool_call' }>): AnswerStep => {
    if (!rules.toolNames.has(event.name)) return nonsense('the model called a function that was not offered');
    // The model can't be told to make one call only; the caller who asked for that gets the first.
    if (rules.parallelToolCalls || toolCalls.length === 0) {
      toolCalls.push({
        id: event.callId,
        type: 'function',
        function: { name: event.name, arguments: event.arguments },
      });
    }
    return callsAreLost();
  };

  /** What has come to be known first, a call or the break, depends on the moment: they come on two pipes. */
  const callsAreLost = (): AnswerStep => (isBroken && toolCalls.length > 0 ? fail(BROKEN_AFTER_CALLS) : { chunks: [] });

  const endTurn = (status: string, error: TurnError | null): AnswerStep => {
    if (error !== null) return fail(error);
    if (status === 'completed' && rules.mustCall) return { chunks: [], end: { type: 'no_call' } };
    if (status === 'completed' && content !== '') return finish('stop');
    return nonsense(status === 'completed' ? 'the model gave no answer' : 'the turn was ended from elsewhere');
  };

  const fail = (error: TurnError): AnswerStep => {
    const finishReason = finishReasonOf(error);
    return finishReason === undefined ? { chunks: [], end: { type: 'failed', error } } : finish(finishReason);
  };

  return {
    take(event) {
      switch (event.type) {
        case 'message_started':
          // Over a WebSocket the CLI's first retry comes without a word (measured): the same text would be sent again.
          if (openMessage !== undefined) return fail(BEGUN_ANEW);
          openMessage = event.itemId;
          if (rules.json && event.phase === 'commentary') skipped.add(event.itemId);
          return { chunks: [] };
        case 'text':
          return addText(event.itemId, event.text);
        case 'message_done': {
          openMessage = undefined;
          const known = message?.itemId === event.itemId ? message.text : '';
          return addText(event.itemId, event.text.startsWith(known) ? event.text.slice(known.length) : '');
        }
        case 'tool_call':
          return addToolCall(event);
        case 'foreign_item':
          return nonsense('the model asked for a tool that was not offered');
        case 'response_done':
          usage = usage === null ? event.usage : addUsage(usage, event.usage);
          return toolCalls.length > 0 ? finish('tool_calls') : { chunks: [] };
        case 'model_asked':
          // The message may have been complete, and only the end of the response missing.
          if (isBroken && content !== '') return fail(BEGUN_ANEW);
          isBroken = false;
          return { chunks: [] };
        case 'stream_broken':
          isBroken = true;
          return callsAreLost();
        case 'retrying':
          return fail(event.error);
        case 'turn_done':
          return endTurn(event.status, event.error);
      }
    },
    completion: (finishReason) => wire.whole(finishReason, parts()),
    usage: () => usage,
  };
}

function nonsense(reason: string): AnswerStep {
  return { chunks: [], end: { type: 'nonsense', reason } };
}
