import type { ChatRequest } from '../../core/wire/chat-request.ts';
import { isRefusal, unsupported, type Refusal } from './refusal.ts';
import { translateFormat } from './translate-format.ts';
import { developerMessage, translateMessages, type ResponseItem } from './translate-messages.ts';
import { callInstruction, translateTools, type DynamicTool, type OfferedTools } from './translate-tools.ts';

/** A chat completion in the words of the app-server. */
export interface TurnRequest {
  /** The whole history, the last message included: text in `turn/start` is parsed for mentions and capped. */
  readonly items: readonly ResponseItem[];
  /** The history's name on the caller's wire. */
  readonly historyParam: 'messages' | 'input';
  readonly dynamicTools: readonly DynamicTool[];
  /** An answer without a call of a function is none. */
  readonly mustCall: boolean;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly effort?: string;
  readonly verbosity?: string;
  /** The answer must be JSON alone. */
  readonly json: boolean;
  /** False if the caller takes one tool call at a time. */
  readonly parallelToolCalls: boolean;
  readonly ignoredParams: readonly string[];
}

/** Parameters that are honoured, or that say nothing about the answer. */
const KNOWN_PARAMS = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'reasoning_effort',
  'verbosity',
  'n',
  'logprobs',
  'top_logprobs',
  'modalities',
  'user',
  'metadata',
  'store',
  'safety_identifier',
  'prompt_cache_key',
]);

/** Ultra is left out on purpose: it makes the CLI start further agents. */
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'];
const VERBOSITIES = ['low', 'medium', 'high'];

/**
 * Translates a request, or says why a plan lane can't serve it. Pure.
 * Parameters that the plan's backend refuses and that leave the answer's shape as it is (temperature, max_tokens, stop and the
 * like) are listed as ignored, and so is everything that we don't know.
 * @param supportedEfforts the efforts that the model's catalogue entry names, where it is known
 */
export function translateRequest(body: ChatRequest, supportedEfforts?: readonly string[]): TurnRequest | Refusal {
  const shape = refuseOtherShapes(body);
  if (shape !== undefined) return shape;
  const offered = translateTools(body);
  if (isRefusal(offered)) return offered;
  const history = translateMessages(body);
  if (isRefusal(history)) return history;
  const format = translateFormat(body.response_format);
  const effort = body.reasoning_effort ?? undefined;
  const otherEffort = refuseEffort(effort, supportedEfforts, 'reasoning_effort');
  if (otherEffort !== undefined) return otherEffort;
  const inFront = format.instruction === undefined ? [] : [developerMessage(format.instruction)];
  return {
    items: [...inFront, ...history.items, ...demandedCall(offered)],
    historyParam: 'messages',
    dynamicTools: offered.tools,
    mustCall: offered.mustCall,
    ...(format.outputSchema === undefined ? {} : { outputSchema: format.outputSchema }),
    ...(effort === undefined ? {} : { effort }),
    ...knownVerbosity(body['verbosity']),
    json: format.json,
    parallelToolCalls: body.parallel_tool_calls !== false,
    ignoredParams: [...ignoredParams(body), ...offered.ignored, ...history.ignored],
  };
}

/** What asks for a call that `tool_choice` demands; nothing where it demands none. */
export function demandedCall({ mustCall, tools }: OfferedTools): readonly ResponseItem[] {
  return mustCall ? [developerMessage(callInstruction(tools))] : [];
}

/** @param param the effort's name on the caller's wire */
export function refuseEffort(
  effort: string | undefined,
  supportedEfforts: readonly string[] | undefined,
  param: string,
): Refusal | undefined {
  if (effort === undefined) return undefined;
  if (!(supportedEfforts ?? EFFORTS).includes(effort)) {
    return unsupported(param, `The model does not support this ${param} on a plan lane.`);
  }
  if (!EFFORTS.includes(effort)) return unsupported(param, `A plan lane supports ${param} ${EFFORTS.join(', ')}.`);
  return undefined;
}

/** The verbosity as a field of a turn; nothing where it is none that we know. */
export function knownVerbosity(verbosity: unknown): Pick<TurnRequest, 'verbosity'> {
  return typeof verbosity === 'string' && VERBOSITIES.includes(verbosity) ? { verbosity } : {};
}

/** What would change the shape of the answer must be refused, not ignored. */
function refuseOtherShapes(body: ChatRequest): Refusal | undefined {
  if ((body.n ?? 1) > 1) return unsupported('n', 'A plan lane gives one choice.');
  if (body['logprobs'] === true || isSet(body['top_logprobs'])) {
    return unsupported('logprobs', 'A plan lane gives no log probabilities.');
  }
  const modalities = body['modalities'];
  if (Array.isArray(modalities) && modalities.some((modality) => modality !== 'text')) {
    return unsupported('modalities', 'A plan lane answers with text only.');
  }
  for (const param of ['audio', 'functions', 'function_call', 'web_search_options']) {
    if (isSet(body[param])) return unsupported(param, `A plan lane does not support '${param}'.`);
  }
  return undefined;
}

export const isSet = (value: unknown): boolean => value !== undefined && value !== null;

function ignoredParams(body: ChatRequest): string[] {
  return Object.keys(body)
    .filter((name) => !KNOWN_PARAMS.has(name) && isSet(body[name]))
    .sort();
}
