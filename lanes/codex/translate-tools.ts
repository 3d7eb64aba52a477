import type { ChatRequest, ChatTool } from '../../core/wire/chat-request.ts';
import { LITE_MODELS } from './lite-models.ts';
import { invalid, isRefusal, unsupported, type Refusal } from './refusal.ts';
import { arrivesWhole, withoutGuesses, type Schema } from './translate-tool-schema.ts';

/** A function as `thread/start` takes it. */
export interface DynamicTool {
  readonly type: 'function';
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Schema;
}

export interface OfferedTools {
  readonly tools: readonly DynamicTool[];
  /** The answer must call one of them: `tool_choice` demands it. */
  readonly mustCall: boolean;
  /** Parameters of tools that have no effect. */
  readonly ignored: readonly string[];
}

/** Names that the CLI keeps for itself. Measured: it drops the first two without a word, and refuses a thread with the others. */
const RESERVED_NAME = /^(exec_command|shell_command|mcp|mcp__.*)$/;

type Tool = NonNullable<ChatRequest['tools']>[number];

function isFunction(tool: Tool): tool is ChatTool {
  return tool.type === 'function' && 'function' in tool;
}

/**
 * Functions are offered as the CLI's dynamic tools. The CLI has no way to say `tool_choice`: what it sends is always `auto`
 * (measured). So `none` offers nothing, one function by name offers that one alone, and a call that is demanded is asked for in
 * words and looked for in the answer: an answer without it is none (see `mustCall`).
 *
 * A schema that the CLI would change goes into the function's description as well, and counts as ignored.
 */
export function translateTools(
  body: Pick<ChatRequest, 'model' | 'tools' | 'tool_choice' | 'parallel_tool_calls'>,
  wire: 'chat' | 'responses' = 'chat',
): OfferedTools | Refusal {
  // In a chat completion a function is inside of its tool, in a response it is the tool.
  const inside = wire === 'chat' ? 'function.' : '';
  const tools: DynamicTool[] = [];
  const ignored: string[] = [];
  const names = new Set<string>();
  for (const [index, tool] of (body.tools ?? []).entries()) {
    if (!isFunction(tool)) return unsupported(`tools[${index}]`, 'A plan lane supports function tools only.');
    const { name, description = '', parameters, strict } = tool.function;
    if (names.has(name)) return unsupported(`tools[${index}].${inside}name`, 'Two tools have the same name.');
    names.add(name);
    if (RESERVED_NAME.test(name)) {
      return unsupported(`tools[${index}].${inside}name`, 'A plan lane can not offer a function of this name.');
    }
    if (strict === true) ignored.push(`tools.${inside}strict`);
    const whole = parameters === undefined || arrivesWhole(parameters);
    if (!whole) ignored.push(`tools.${inside}parameters`);
    tools.push({
      type: 'function',
      name,
      description: whole ? description : withSchema(description, parameters),
      inputSchema: withoutGuesses(parameters ?? { type: 'object', properties: {} }),
    });
  }
  const chosen = chooseTools(body.tool_choice, tools);
  if (isRefusal(chosen)) return chosen;
  if (body.parallel_tool_calls === true && chosen.tools.length > 0 && LITE_MODELS.has(body.model)) {
    ignored.push('parallel_tool_calls');
  }
  return { ...chosen, ignored: [...new Set(ignored)] };
}

/** The description is the one part of a function that the CLI leaves whole (measured with 500,000 characters). */
function withSchema(description: string, parameters: Schema): string {
  const words = `The arguments must match this JSON schema:\n${JSON.stringify(parameters)}`;
  return description === '' ? words : `${description}\n\n${words}`;
}

/** What of the tools the choice leaves, and whether one of them must be called. */
function chooseTools(
  choice: ChatRequest['tool_choice'],
  tools: readonly DynamicTool[],
): Pick<OfferedTools, 'tools' | 'mustCall'> | Refusal {
  if (choice === 'none') return { tools: [], mustCall: false };
  if (choice === undefined || choice === null || choice === 'auto') return { tools, mustCall: false };
  if (choice === 'required') {
    if (tools.length === 0) return invalid('tool_choice', "'tool_choice' demands a call, and there are no 'tools'.");
    return { tools, mustCall: true };
  }
  const name = nameOf(choice);
  if (name === undefined) {
    return unsupported('tool_choice', "A plan lane supports 'auto', 'none', 'required' and one function by name.");
  }
  const named = tools.filter((tool) => tool.name === name);
  if (named.length === 0)
    return invalid('tool_choice', "'tool_choice' names a function that is not among the 'tools'.");
  return { tools: named, mustCall: true };
}

function nameOf(choice: Exclude<ChatRequest['tool_choice'], string | null | undefined>): string | undefined {
  if (choice.type !== 'function') return undefined;
  const { function: named } = choice as { readonly function?: { readonly name?: unknown } };
  return typeof named?.name === 'string' ? named.name : undefined;
}

/** Stands behind the history, where it weighs most, and where what comes before it stays in the prompt cache. */
export function callInstruction(tools: readonly DynamicTool[]): string {
  const [only] = tools;
  const which =
    tools.length === 1 && only !== undefined ? `the function \`${only.name}\`` : 'at least one of the functions';
  return `Answer by calling ${which}. Do not answer in text: an answer without a function call is discarded.`;
}
