import { describe, expect, it } from 'vitest';
import { chatRequestSchema } from '../../../core/wire/chat-request.ts';
import { isRefusal } from '../../../lanes/codex/refusal.ts';
import { translateMessages, type TranslatedMessages } from '../../../lanes/codex/translate-messages.ts';
import { dataUrl, IMAGES, pngOf } from './images.ts';

const translate = (...messages: object[]) => translateMessages(chatRequestSchema.parse({ model: 'gpt-5.5', messages }));

function translated(...messages: object[]): TranslatedMessages {
  const result = translate(...messages);
  if (isRefusal(result)) throw result.error;
  return result;
}

const withImage = (bytes: Buffer, detail?: string): object => ({
  role: 'user',
  content: [{ type: 'image_url', image_url: { url: dataUrl('image/png', bytes), detail } }],
});

describe('translateMessages', () => {
  it('lists the detail of an image that has no effect, and does not take one that there is not', () => {
    expect(translated(withImage(IMAGES['image/png'], 'high')).ignored).toEqual([]);
    expect(translated(withImage(IMAGES['image/png'], 'low')).ignored).toEqual(['messages.content.image_url.detail']);
    expect(translate(withImage(IMAGES['image/png'], 'banana'))).toMatchObject({
      class: 'unsupported',
      error: { status: 400, param: 'messages[0].content[0].image_url.detail' },
    });
  });

  it('counts the pixels of all messages together', () => {
    const large = withImage(pngOf(6_000, 4_500));
    expect(translate(large, large)).toMatchObject({
      class: 'unsupported',
      error: { status: 400, param: 'messages[1].content[0].image_url.url' },
    });
  });
});
