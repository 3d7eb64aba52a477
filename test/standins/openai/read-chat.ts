import type { ReadPrompt } from '../planned-answer.ts';

/** What the stand-in reads of a chat request. */
export interface ChatBody {
  readonly model?: string;
  readonly messages?: readonly ChatBodyMessage[];
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
  readonly n?: number | null;
  readonly tools?: unknown;
  readonly response_format?: { readonly type?: string; readonly json_schema?: { readonly schema?: unknown } };
}

interface ChatBodyMessage {
  readonly role?: string;
  readonly content?: string | readonly { readonly text?: string }[] | null;
  readonly tool_calls?: readonly { readonly function?: { readonly arguments?: string } }[];
}

/** Reads a chat request for its answer. */
export function readChat(body: ChatBody): ReadPrompt {
  let promptCharacters = 0;
  let lastUserText = '';
  let toolOutputs: string[] = [];
  for (const message of body.messages ?? []) {
    const text = textOf(message.content);
    promptCharacters += text.length;
    for (const call of message.tool_calls ?? []) promptCharacters += call.function?.arguments?.length ?? 0;
    if (message.role === 'user') {
      lastUserText = text;
      toolOutputs = [];
    } else if (message.role === 'tool') toolOutputs.push(text);
  }
  const format = body.response_format;
  return {
    lastUserText,
    toolOutputs,
    promptCharacters,
    schema:
      format?.type === 'json_schema' ? format.json_schema?.schema : format?.type === 'json_object' ? true : undefined,
  };
}

function textOf(content: ChatBodyMessage['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text ?? '').join('');
}
