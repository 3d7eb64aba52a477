import type { ChatRequest, ChatTool } from '../../core/wire/chat-request.ts';
import { unsupported, type Refusal } from './refusal.ts';

/** A function as `thread/start` takes it. */
export interface DynamicTool {
  readonly type: 'function';
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

export interface OfferedTools {
  readonly tools: readonly DynamicTool[];
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
 * Functions are offered as the CLI's dynamic tools. `tool_choice` can be honoured as `auto` (the only value that the CLI sends,
 * measured) and as `none` (nothing is offered); to demand a call there is no way, and asking for it in words would be a guess.
 */
export function translateTools(
  body: Pick<ChatRequest, 'tools' | 'tool_choice'>,
  wire: 'chat' | 'responses' = 'chat',
): OfferedTools | Refusal {
  // In a chat completion a function is inside of its tool, in a response it is the tool.
  const inside = wire === 'chat' ? 'function.' : '';
  const choice = body.tool_choice ?? 'auto';
  if (choice !== 'auto' && choice !== 'none') {
    return unsupported('tool_choice', "A plan lane supports the tool_choice values 'auto' and 'none'.");
  }
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
    tools.push({ type: 'function', name, description, inputSchema: parameters ?? { type: 'object', properties: {} } });
  }
  return { tools: choice === 'none' ? [] : tools, ignored: [...new Set(ignored)] };
}
