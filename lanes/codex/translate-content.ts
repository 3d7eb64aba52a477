import type { ChatContent } from '../../core/wire/chat-request.ts';
import { unsupported, type Refusal } from './refusal.ts';

/** One part of an item's content, as the Responses API has it. */
export type ContentPart =
  | { readonly type: 'input_text' | 'output_text'; readonly text: string }
  | { readonly type: 'input_image'; readonly image_url: string; readonly detail?: string };

/** OpenAI's limit for one image. */
const MAX_IMAGE_BYTES = 20 * 1024 * 1024;

/** The first bytes of each kind of image that is taken, as the beginning of its base64 text. */
const IMAGE_HEADS: Readonly<Record<string, RegExp>> = {
  'image/png': /^iVBORw0KGg/,
  'image/jpeg': /^\/9j\//,
  'image/jpg': /^\/9j\//,
  'image/gif': /^R0lGOD/,
  'image/webp': /^UklGR/,
};

const DATA_URL_HEAD = /^data:([a-z]+\/[a-z0-9.+-]+);base64,/i;
/** A search for the one bad character: no backtracking over megabytes. */
const NOT_BASE64 = /[^A-Za-z0-9+/=]/;

/** Text of a content where only text has a meaning (assistant, tool, system). A refusal counts as its text. */
export function textOf(content: ChatContent, param: string): string | Refusal {
  if (typeof content === 'string') return content;
  const texts: string[] = [];
  for (const [index, part] of content.entries()) {
    if (part.type === 'text') texts.push(part.text);
    else if (part.type === 'refusal') texts.push(part.refusal);
    else return unsupported(`${param}[${index}]`, `Content of type '${part.type}' is not supported here.`);
  }
  return texts.join('\n');
}

/** The parts of a user's message: text and images. */
export function userParts(content: ChatContent, param: string): readonly ContentPart[] | Refusal {
  if (typeof content === 'string') return [{ type: 'input_text', text: content }];
  const parts: ContentPart[] = [];
  for (const [index, part] of content.entries()) {
    const at = `${param}[${index}]`;
    if (part.type === 'text') parts.push({ type: 'input_text', text: part.text });
    else if (part.type === 'image_url') {
      const problem = imageProblem(part.image_url.url);
      if (problem !== undefined) return unsupported(`${at}.image_url.url`, problem);
      const detail = part.image_url.detail === undefined ? {} : { detail: part.image_url.detail };
      parts.push({ type: 'input_image', image_url: part.image_url.url, ...detail });
    } else return unsupported(at, `Content of type '${part.type}' is not supported by a plan lane.`);
  }
  return parts;
}

/**
 * Why an image is not taken. The CLI puts a sentence in the place of an image that it can't read and goes on, so a bad
 * image has to be found before.
 */
export function imageProblem(url: string): string | undefined {
  const head = DATA_URL_HEAD.exec(url);
  if (head === null) return 'A plan lane takes images as base64 data: URLs only, and never fetches one.';
  const magic = IMAGE_HEADS[(head[1] ?? '').toLowerCase()];
  if (magic === undefined) return 'The image must be PNG, JPEG, GIF or WebP.';
  const data = url.slice(head[0].length);
  if ((data.length / 4) * 3 > MAX_IMAGE_BYTES) return 'The image is larger than 20 MB.';
  if (!magic.test(data) || NOT_BASE64.test(data)) return 'The image is not what its type says, or not base64.';
  return undefined;
}
