import type { ChatMessage } from '../../core/wire/chat-request.ts';
import { invalid, isRefusal, type Refusal } from './refusal.ts';
import { textOf, userParts, type ContentPart } from './translate-content.ts';

/** A raw item of the Responses API, as `thread/inject_items` takes it. */
export type ResponseItem =
  | {
      readonly type: 'message';
      readonly role: 'developer' | 'user' | 'assistant';
      readonly content: readonly ContentPart[];
    }
  | { readonly type: 'function_call'; readonly name: string; readonly arguments: string; readonly call_id: string }
  | { readonly type: 'function_call_output'; readonly call_id: string; readonly output: string };

/**
 * Turns a chat history into items, in order.
 *
 * System and developer messages both become developer messages at their own place. Measured: items with the role `system` are
 * dropped without a word; `baseInstructions` end up as a developer message too, but only one and only in front, so several
 * messages, or one in mid-history, would lose their order there. With `baseInstructions: ''` nothing is added.
 *
 * Tool calls and their results must match. Measured: the CLI drops a result without a call, and puts the word "aborted" in
 * the place of a result that is missing; either would change what was said.
 */
export function translateMessages(messages: readonly ChatMessage[]): readonly ResponseItem[] | Refusal {
  const items: ResponseItem[] = [];
  const openCalls = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`;
    if (message.role !== 'tool' && openCalls.size > 0) return unansweredCalls(param);
    const translated = translateMessage(message, param, openCalls);
    if (isRefusal(translated)) return translated;
    items.push(...translated);
  }
  return openCalls.size > 0 ? unansweredCalls(`messages[${messages.length - 1}]`) : items;
}

function unansweredCalls(param: string): Refusal {
  return invalid(
    param,
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
  );
}

function translateMessage(
  message: ChatMessage,
  param: string,
  openCalls: Set<string>,
): readonly ResponseItem[] | Refusal {
  switch (message.role) {
    case 'system':
    case 'developer': {
      const text = textOf(message.content, `${param}.content`);
      return isRefusal(text) ? text : [textMessage('developer', text)];
    }
    case 'user': {
      const content = userParts(message.content, `${param}.content`);
      return isRefusal(content) ? content : [{ type: 'message', role: 'user', content }];
    }
    case 'assistant': {
      const text = textOf(message.content ?? '', `${param}.content`);
      if (isRefusal(text)) return text;
      const calls = (message.tool_calls ?? []).map((call): ResponseItem => {
        openCalls.add(call.id);
        return {
          type: 'function_call',
          name: call.function.name,
          arguments: call.function.arguments,
          call_id: call.id,
        };
      });
      return text === '' ? calls : [textMessage('assistant', text), ...calls];
    }
    case 'tool': {
      if (!openCalls.delete(message.tool_call_id)) {
        return invalid(`${param}.tool_call_id`, "A tool message must answer a preceding message's 'tool_calls'.");
      }
      const output = textOf(message.content, `${param}.content`);
      if (isRefusal(output)) return output;
      return [{ type: 'function_call_output', call_id: message.tool_call_id, output }];
    }
  }
}

function textMessage(role: 'developer' | 'assistant', text: string): ResponseItem {
  return { type: 'message', role, content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }] };
}

/** An instruction of ours, for what the protocol has no field for. */
export function developerMessage(text: string): ResponseItem {
  return textMessage('developer', text);
}
