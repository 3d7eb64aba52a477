import type { ResponsesContent, ResponsesInputItem, ResponsesRequest } from '../../core/wire/responses-request.ts';
import { invalid, isRefusal, unsupported, type Refusal } from './refusal.ts';
import type { ContentPart } from './translate-content.ts';
import { createImageTranslator, type ImageTranslator } from './translate-image.ts';
import type { ResponseItem } from './translate-messages.ts';

export interface TranslatedItems {
  readonly items: readonly ResponseItem[];
  /** Kinds of items that have no effect. */
  readonly ignored: readonly string[];
}

const NO_OUTPUT = 'No tool output found for this function call: send its function_call_output as well.';
const SAME_ID = 'Two function calls have the same call_id, and the one before has no output yet.';

/**
 * Turns the input of the Responses API into the items of a thread. They are of the same kind; what differs is what the CLI
 * makes of some of them (measured): `system` messages are dropped without a word, so they become developer messages; an
 * output without its call is dropped, and the word "aborted" is put in the place of a missing one, so both are refused.
 * Reasoning items are left out: they are sealed for the backend that wrote them.
 */
export function translateItems({ model, input }: Pick<ResponsesRequest, 'model' | 'input'>): TranslatedItems | Refusal {
  if (typeof input === 'string') {
    return { items: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }], ignored: [] };
  }
  const items: ResponseItem[] = [];
  const ignored = new Set<string>();
  /** Calls that have no output yet, and where they are. */
  const openCalls = new Map<string, string>();
  const images = createImageTranslator(model);
  for (const [index, item] of input.entries()) {
    const param = `input[${index}]`;
    if (item.type === 'reasoning') {
      ignored.add('input.reasoning');
      continue;
    }
    const translated = translateItem(item, param, { openCalls, images });
    if (isRefusal(translated)) return translated;
    items.push(translated);
  }
  if (images.detailIgnored()) ignored.add('input.content.detail');
  const [unanswered] = openCalls.values();
  return unanswered === undefined ? { items, ignored: [...ignored] } : invalid(unanswered, NO_OUTPUT);
}

function translateItem(
  item: ResponsesInputItem,
  param: string,
  { openCalls, images }: { readonly openCalls: Map<string, string>; readonly images: ImageTranslator },
): ResponseItem | Refusal {
  if (isFunctionCall(item)) {
    if (openCalls.has(item.call_id)) return invalid(`${param}.call_id`, SAME_ID);
    openCalls.set(item.call_id, param);
    return { type: 'function_call', name: item.name, arguments: item.arguments, call_id: item.call_id };
  }
  if (isFunctionOutput(item)) {
    if (!openCalls.delete(item.call_id)) {
      return invalid(`${param}.call_id`, 'A function_call_output must follow the function_call that it answers.');
    }
    const output = textOf(item.output, `${param}.output`);
    return isRefusal(output) ? output : { type: 'function_call_output', call_id: item.call_id, output };
  }
  if (isMessage(item)) return translateMessage(item, param, images);
  return unsupported(param, `A plan lane does not take items of the type '${item.type}'.`);
}

type MessageItem = Extract<ResponsesInputItem, { role: string }>;

function translateMessage(
  { role, content }: MessageItem,
  param: string,
  images: ImageTranslator,
): ResponseItem | Refusal {
  if (role === 'user') {
    const parts = userParts(content, `${param}.content`, images);
    return isRefusal(parts) ? parts : { type: 'message', role, content: parts };
  }
  const text = textOf(content, `${param}.content`);
  if (isRefusal(text)) return text;
  return role === 'assistant'
    ? { type: 'message', role, content: [{ type: 'output_text', text }] }
    : { type: 'message', role: 'developer', content: [{ type: 'input_text', text }] };
}

/** Text where only text has a meaning. A refusal counts as its text. */
function textOf(content: ResponsesContent, param: string): string | Refusal {
  if (typeof content === 'string') return content;
  const texts: string[] = [];
  for (const [index, part] of content.entries()) {
    if (part.type === 'input_text' || part.type === 'output_text') texts.push(part.text);
    else if (part.type === 'refusal') texts.push(part.refusal);
    else return unsupported(`${param}[${index}]`, `Content of type '${part.type}' is not supported here.`);
  }
  return texts.join('\n');
}

function userParts(
  content: ResponsesContent,
  param: string,
  images: ImageTranslator,
): readonly ContentPart[] | Refusal {
  if (typeof content === 'string') return [{ type: 'input_text', text: content }];
  const parts: ContentPart[] = [];
  for (const [index, part] of content.entries()) {
    const at = `${param}[${index}]`;
    if (part.type === 'input_text' || part.type === 'output_text') parts.push({ type: 'input_text', text: part.text });
    else if (part.type === 'input_image') {
      const image = images.translate({
        url: part.image_url ?? '',
        detail: part.detail,
        urlParam: `${at}.image_url`,
        detailParam: `${at}.detail`,
      });
      if (isRefusal(image)) return image;
      parts.push(image);
    } else return unsupported(at, `Content of type '${part.type}' is not supported by a plan lane.`);
  }
  return parts;
}

const isMessage = (item: ResponsesInputItem): item is MessageItem => 'role' in item && 'content' in item;
const isFunctionCall = (item: ResponsesInputItem): item is Extract<ResponsesInputItem, { type: 'function_call' }> =>
  item.type === 'function_call';
const isFunctionOutput = (
  item: ResponsesInputItem,
): item is Extract<ResponsesInputItem, { type: 'function_call_output' }> => item.type === 'function_call_output';
