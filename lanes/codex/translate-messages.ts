import type { ChatFunctionCall, ChatMessage, ChatRequest } from '../../core/wire/chat-request.ts';
import { invalid, isRefusal, unsupported, type Refusal } from './refusal.ts';
import { textOf, userParts, type ContentPart } from './translate-content.ts';
import { createImageTranslator, type ImageTranslator } from './translate-image.ts';

/** A raw item of the Responses API, as `thread/inject_items` takes it. */
export type ResponseItem =
  | {
      readonly type: 'message';
      readonly role: 'developer' | 'user' | 'assistant';
      readonly content: readonly ContentPart[];
    }
  | { readonly type: 'function_call'; readonly name: string; readonly arguments: string; readonly call_id: string }
  | { readonly type: 'function_call_output'; readonly call_id: string; readonly output: string };

export interface TranslatedMessages {
  readonly items: readonly ResponseItem[];
  /** Parameters of messages that have no effect. */
  readonly ignored: readonly string[];
}

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
export function translateMessages({
  model,
  messages,
}: Pick<ChatRequest, 'model' | 'messages'>): TranslatedMessages | Refusal {
  const items: ResponseItem[] = [];
  const ignored = new Set<string>();
  const openCalls = new Set<string>();
  const images = createImageTranslator(model);
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`;
    if (message.role !== 'tool' && openCalls.size > 0) return unansweredCalls(param);
    const translated = translateMessage(message, param, { openCalls, images });
    if (isRefusal(translated)) return translated;
    items.push(...translated);
    if (typeof message['name'] === 'string') ignored.add('messages.name');
  }
  if (openCalls.size > 0) return unansweredCalls(`messages[${messages.length - 1}]`);
  if (images.detailIgnored()) ignored.add('messages.content.image_url.detail');
  return { items, ignored: [...ignored] };
}

const SAME_ID = "Two of the message's 'tool_calls' have the same id.";

function unansweredCalls(param: string): Refusal {
  return invalid(
    param,
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
  );
}

function translateMessage(
  message: ChatMessage,
  param: string,
  { openCalls, images }: { readonly openCalls: Set<string>; readonly images: ImageTranslator },
): readonly ResponseItem[] | Refusal {
  switch (message.role) {
    case 'system':
    case 'developer': {
      const text = textOf(message.content, `${param}.content`);
      return isRefusal(text) ? text : [textMessage('developer', text)];
    }
    case 'user': {
      const content = userParts(message.content, `${param}.content`, images);
      return isRefusal(content) ? content : [{ type: 'message', role: 'user', content }];
    }
    case 'assistant': {
      const content = textOf(message.content ?? '', `${param}.content`);
      if (isRefusal(content)) return content;
      // Where the model refused, an answer has its words in a field beside an empty content.
      const { refusal } = message;
      const text = content === '' && typeof refusal === 'string' ? refusal : content;
      const calls: ResponseItem[] = [];
      for (const [index, call] of (message.tool_calls ?? []).entries()) {
        if (!isFunctionCall(call)) {
          return unsupported(`${param}.tool_calls[${index}]`, 'A plan lane supports calls of functions only.');
        }
        if (openCalls.has(call.id)) return invalid(`${param}.tool_calls[${index}].id`, SAME_ID);
        openCalls.add(call.id);
        const { name, arguments: given } = call.function;
        calls.push({ type: 'function_call', name, arguments: given, call_id: call.id });
      }
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

function isFunctionCall(call: { readonly type: string }): call is ChatFunctionCall {
  return call.type === 'function';
}

function textMessage(role: 'developer' | 'assistant', text: string): ResponseItem {
  return { type: 'message', role, content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }] };
}

/** An instruction of ours, for what the protocol has no field for. */
export function developerMessage(text: string): ResponseItem {
  return textMessage('developer', text);
}
