import type { AttemptLog } from '../attempt-log.ts';
import { pause, untilAborted } from '../http-exchange.ts';
import { type Failure, parseMagicWords } from '../magic-words.ts';
import { planAnswer } from '../planned-answer.ts';
import type { Account, PlanState } from './account.ts';
import { buildAnswerEvents, type ResponsesEvent } from './answer-events.ts';
import { readResponsesRequest, type ResponsesItem, type ResponsesRequest } from './read-request.ts';
import { refusalOf, type Refusal, unauthorizedRefusal, unknownModelRefusal, usageLimitRefusal } from './refusals.ts';

/** One model call's way back to the CLI, over either transport. */
export interface CallWire {
  readonly transport: 'websocket' | 'sse';
  /** Says how the windows stand, before any event. */
  begin(plan: PlanState): void;
  send(event: ResponsesEvent): void;
  refuse(refusal: Refusal): void;
  /** The answer is whole. */
  end(): void;
  /** Breaks the connection off. */
  cut(): void;
  /** Aborted when the CLI has gone away. */
  readonly signal: AbortSignal;
}

interface ModelCall {
  readonly account: Account;
  readonly authorized: boolean;
  readonly request: ResponsesRequest;
  /** The whole history. */
  readonly input: readonly ResponsesItem[];
  readonly wire: CallWire;
  readonly log: AttemptLog;
}

export interface ServedResponse {
  readonly responseId: string;
  readonly items: readonly object[];
}

/**
 * Serves one model call by script, magic words and echo.
 * @returns what the answer adds to the history; undefined when it was not answered
 */
export async function serveModelCall(call: ModelCall): Promise<ServedResponse | undefined> {
  const { account, request, input, wire } = call;
  const prompt = readResponsesRequest(request, input);
  const finish = call.log.start({
    account: account.alias,
    transport: wire.transport,
    model: request.model ?? '',
    instructions: request.instructions ?? '',
    input,
    tools: request.tools,
    toolChoice: request.tool_choice,
    parallelToolCalls: request.parallel_tool_calls,
    text: request.text,
    lastUserText: prompt.lastUserText,
  });
  const script = account.script();
  const words = parseMagicWords(prompt.lastUserText, account.takeFailure());
  const aborted = (): undefined => {
    finish('aborted', 0);
    return undefined;
  };

  const delayMs = words.delayMs + (script.delayMs ?? 0);
  if (delayMs > 0 && !(await pause(delayMs, wire.signal))) return aborted();

  const refusal = decideRefusal(call, () => refusalOf(words.failure, account.plan(), words.retryAfterSeconds));
  if (refusal !== undefined) {
    wire.refuse(refusal);
    const limit = refusal.error['type'] === 'usage_limit_reached';
    finish(limit ? 'limit' : refusal.status === 401 ? 'unauthorized' : 'refused', refusal.status);
    return undefined;
  }

  wire.begin(account.plan());
  const answer = planAnswer(prompt, words);
  const events = buildAnswerEvents(answer);
  const failedCode = failedCodeOf(words.failure);
  if (failedCode !== undefined) {
    const message = MESSAGES[failedCode] ?? `As scripted: ${failedCode}. See https://chatgpt.example/settings.`;
    wire.send({ type: 'response.failed', response: { id: events.responseId, error: { code: failedCode, message } } });
    wire.end();
    finish('refused', 400);
    return undefined;
  }
  if (words.failure?.kind === 'hang') {
    await untilAborted(wire.signal);
    return aborted();
  }
  for (const event of events.opening) wire.send(event);
  const half = words.failure?.kind === 'half';
  const deltas = half ? events.deltas.slice(0, Math.ceil(events.deltas.length / 2)) : events.deltas;
  for (const [index, delta] of deltas.entries()) {
    if (index > 0 && answer.gapMs > 0 && !(await pause(answer.gapMs, wire.signal))) return aborted();
    wire.send(delta);
  }
  if (half) {
    wire.cut();
    finish('cut', 200);
    return undefined;
  }
  const stop = words.failure?.kind === 'after-call' ? words.failure.end : undefined;
  for (const event of stop === undefined ? events.whole : events.wholeToFirstCall) {
    if (wire.signal.aborted) return aborted();
    wire.send(event);
    const silenceMs = answer.tools.length > 0 ? words.afterCallMs : 0;
    if (silenceMs > 0 && !(await pause(silenceMs, wire.signal))) return aborted();
  }
  if (wire.signal.aborted) return aborted();
  if (stop === 'cut') {
    wire.cut();
    finish('cut', 200);
    return undefined;
  }
  wire.send(stop === 'incomplete' ? events.incomplete : events.end);
  wire.end();
  finish('answered', 200);
  return events;
}

/** What the backend says where the CLI passes its words on and not its code. */
const MESSAGES: Readonly<Record<string, string>> = {
  invalid_prompt:
    'Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt: https://chatgpt.example/docs',
};

function failedCodeOf(failure: Failure | undefined): string | undefined {
  if (failure?.kind === 'context') return 'context_length_exceeded';
  return failure?.kind === 'failed' ? failure.code : undefined;
}

/** In the order in which the real backend would notice: who calls, the scripted failure, the model, the window. */
function decideRefusal(call: ModelCall, scripted: () => Refusal | undefined): Refusal | undefined {
  if (!call.authorized) return unauthorizedRefusal();
  const refusal = scripted();
  if (refusal !== undefined) return refusal;
  const { models } = call.account.script();
  const model = call.request.model ?? '';
  if (models !== undefined && !models.includes(model)) return unknownModelRefusal(model);
  return call.account.admit() ? undefined : usageLimitRefusal(call.account.plan());
}
