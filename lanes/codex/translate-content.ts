import type { ChatContent } from '../../core/wire/chat-request.ts';
import { isRefusal, unsupported, type Refusal } from './refusal.ts';
import type { ImagePart, ImageTranslator } from './translate-image.ts';

/** One part of an item's content, as the Responses API has it. */
export type ContentPart = { readonly type: 'input_text' | 'output_text'; readonly text: string } | ImagePart;

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
export function userParts(
  content: ChatContent,
  param: string,
  images: ImageTranslator,
): readonly ContentPart[] | Refusal {
  if (typeof content === 'string') return [{ type: 'input_text', text: content }];
  const parts: ContentPart[] = [];
  for (const [index, part] of content.entries()) {
    const at = `${param}[${index}]`;
    if (part.type === 'text') parts.push({ type: 'input_text', text: part.text });
    else if (part.type === 'image_url') {
      const { url, detail } = part.image_url;
      const image = images.translate({
        url,
        detail,
        urlParam: `${at}.image_url.url`,
        detailParam: `${at}.image_url.detail`,
      });
      if (isRefusal(image)) return image;
      parts.push(image);
    } else return unsupported(at, `Content of type '${part.type}' is not supported by a plan lane.`);
  }
  return parts;
}
