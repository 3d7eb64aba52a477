import type { ChatRequest } from '../../core/wire/chat-request.ts';
import type { ResponseEcho } from '../../core/wire/response-answer.ts';
import type { ResponsesRequest } from '../../core/wire/responses-request.ts';
import { isRefusal, unsupported, type Refusal } from './refusal.ts';
import { translateFormat } from './translate-format.ts';
import { translateItems } from './translate-items.ts';
import { developerMessage } from './translate-messages.ts';
import { demandedCall, isSet, knownVerbosity, refuseEffort, type TurnRequest } from './translate-request.ts';
import { translateTools } from './translate-tools.ts';

/** Parameters that are honoured, or that say nothing about the answer. */
const KNOWN_PARAMS = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'metadata',
  'store',
  'user',
  'safety_identifier',
  'prompt_cache_key',
  // Refused, here or by the endpoint, where they ask for anything.
  'top_logprobs',
  'previous_response_id',
  'conversation',
  'background',
]);

/**
 * Translates a request of the Responses API, or says why a plan lane can't serve it. Pure.
 * @param supportedEfforts the efforts that the model's catalogue entry names, where it is known
 */
export function translateResponses(
  body: ResponsesRequest,
  supportedEfforts?: readonly string[],
): TurnRequest | Refusal {
  const shape = refuseOtherShapes(body);
  if (shape !== undefined) return shape;
  const offered = translateTools(chatTools(body), 'responses');
  if (isRefusal(offered)) return offered;
  const history = translateItems(body);
  if (isRefusal(history)) return history;
  const format = translateFormat(chatFormat(body));
  const effort = body.reasoning?.effort ?? undefined;
  const otherEffort = refuseEffort(effort, supportedEfforts, 'reasoning.effort');
  if (otherEffort !== undefined) return otherEffort;
  const inFront = [body.instructions ?? '', format.instruction ?? ''].filter((text) => text !== '');
  return {
    items: [...inFront.map(developerMessage), ...history.items, ...demandedCall(offered)],
    historyParam: 'input',
    dynamicTools: offered.tools,
    mustCall: offered.mustCall,
    ...(format.outputSchema === undefined ? {} : { outputSchema: format.outputSchema }),
    ...(effort === undefined ? {} : { effort }),
    ...knownVerbosity(body.text?.verbosity),
    json: format.json,
    parallelToolCalls: body.parallel_tool_calls !== false,
    ignoredParams: [...ignoredParams(body), ...offered.ignored, ...history.ignored],
  };
}

/** What of the request its answer says again. Parameters without effect are said as they came, and listed as ignored elsewhere. */
export function echoOf(body: ResponsesRequest): ResponseEcho {
  const verbosity = body.text?.verbosity ?? undefined;
  return {
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    store: false,
    temperature: body.temperature ?? null,
    text: { format: body.text?.format ?? { type: 'text' }, ...(verbosity === undefined ? {} : { verbosity }) },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: body.top_p ?? null,
    truncation: 'disabled',
  };
}

/** What would change the shape of the answer must be refused, not ignored. */
function refuseOtherShapes(body: ResponsesRequest): Refusal | undefined {
  if (typeof body['top_logprobs'] === 'number' && body['top_logprobs'] > 0) {
    return unsupported('top_logprobs', 'A plan lane gives no log probabilities.');
  }
  const include = body['include'];
  if (Array.isArray(include) && include.includes('message.output_text.logprobs')) {
    return unsupported('include', 'A plan lane gives no log probabilities.');
  }
  if (isSet(body['prompt'])) return unsupported('prompt', 'A plan lane has no stored prompts.');
  return undefined;
}

function ignoredParams(body: ResponsesRequest): string[] {
  const top = Object.keys(body).filter(
    (name) => !KNOWN_PARAMS.has(name) && isSet(body[name]) && !asksForNothing(name, body[name]),
  );
  const reasoning = Object.entries(body.reasoning ?? {})
    .filter(([name, value]) => name !== 'effort' && isSet(value))
    .map(([name]) => `reasoning.${name}`);
  return [...top, ...reasoning].sort();
}

/** An empty list, and the default of the one parameter that has one which a plan lane keeps to. */
function asksForNothing(name: string, value: unknown): boolean {
  return (Array.isArray(value) && value.length === 0) || (name === 'truncation' && value === 'disabled');
}

/** Tools in the shape of a chat completion, which names the same things at other places. */
function chatTools({
  model,
  tools,
  tool_choice: choice,
  parallel_tool_calls: parallel,
}: ResponsesRequest): Pick<ChatRequest, 'model' | 'tools' | 'tool_choice' | 'parallel_tool_calls'> {
  return {
    model,
    parallel_tool_calls: parallel ?? undefined,
    tools: (tools ?? []).map((tool) => {
      if (!isFunction(tool)) return { type: tool.type };
      const { name, description, parameters, strict } = tool;
      return {
        type: 'function' as const,
        function: {
          name,
          ...(isSet(description) ? { description: description ?? '' } : {}),
          ...(isSet(parameters) ? { parameters: parameters ?? {} } : {}),
          ...(strict === true ? { strict } : {}),
        },
      };
    }),
    tool_choice: chatChoice(choice),
  };
}

type Tool = NonNullable<ResponsesRequest['tools']>[number];

function isFunction(tool: Tool): tool is Extract<Tool, { type: 'function' }> {
  return tool.type === 'function';
}

function chatChoice(choice: ResponsesRequest['tool_choice']): ChatRequest['tool_choice'] {
  if (typeof choice !== 'object' || choice === null) return choice ?? 'auto';
  return typeof choice['name'] === 'string' ? { type: 'function', function: { name: choice['name'] } } : choice;
}

function chatFormat({ text }: ResponsesRequest): ChatRequest['response_format'] {
  const format = text?.format ?? undefined;
  if (format?.type !== 'json_schema') return format;
  const { name, schema, strict, description } = format;
  return {
    type: 'json_schema',
    json_schema: { name, schema, strict, ...(description === undefined ? {} : { description }) },
  };
}
