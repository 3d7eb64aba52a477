import type { ReadPrompt } from '../planned-answer.ts';

/** What the stand-in reads of a Responses request. */
export interface ResponsesRequest {
  readonly type?: string;
  readonly generate?: boolean;
  readonly model?: string;
  readonly instructions?: string;
  readonly previous_response_id?: string | null;
  readonly input?: readonly ResponsesItem[];
  readonly tools?: unknown;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: unknown;
  readonly text?: { readonly format?: { readonly type?: string; readonly schema?: unknown } } | null;
}

export interface ResponsesItem {
  readonly type?: string;
  readonly role?: string;
  readonly content?: readonly ContentPart[] | string | null;
  readonly arguments?: string;
  readonly output?: string | readonly ContentPart[];
}

interface ContentPart {
  readonly text?: string;
}

/** Reads a Responses request for its answer. `input` is the whole history, also where only the news came over the wire. */
export function readResponsesRequest(request: ResponsesRequest, input: readonly ResponsesItem[]): ReadPrompt {
  let promptCharacters = request.instructions?.length ?? 0;
  let lastUserText = '';
  let toolOutputs: string[] = [];
  for (const item of input) {
    const text = textOf(item.content) + (item.arguments ?? '');
    promptCharacters += text.length;
    if (item.role === 'user') {
      lastUserText = text;
      toolOutputs = [];
    }
    if (item.output === undefined) continue;
    toolOutputs.push(textOf(item.output));
    promptCharacters += toolOutputs.at(-1)?.length ?? 0;
  }
  const format = request.text?.format;
  return {
    lastUserText,
    toolOutputs,
    promptCharacters,
    schema: format?.type === 'json_schema' ? format.schema : format?.type === 'json_object' ? true : undefined,
  };
}

function textOf(content: string | readonly ContentPart[] | null | undefined): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text ?? '').join('');
}
