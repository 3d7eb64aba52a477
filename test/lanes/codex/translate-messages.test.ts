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
const said = (text: string): object => ({
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text }],
});

describe('translateMessages', () => {
  it.each([
    [{ content: null, refusal: 'I cannot.' }, [said('I cannot.')]],
    [{ content: '', refusal: 'I cannot.' }, [said('I cannot.')]],
    [{ refusal: 'I cannot.' }, [said('I cannot.')]],
    [{ content: 'well', refusal: 'I cannot.' }, [said('well')]],
    [{ content: null, refusal: null }, []],
  ])('keeps the words of a refusal where an answer has no content: %j', (answer, items) => {
    expect(translated({ role: 'assistant', ...answer }).items).toEqual(items);
  });

  it('lists names of messages as ignored', () => {
    const messages = ['system', 'user', 'assistant'].map((role) => ({ role, content: 'x', name: 'ann' }));
    expect(translated(...messages).ignored).toEqual(['messages.name']);
    expect(translated({ role: 'user', content: 'x' }).ignored).toEqual([]);
  });

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

  it('takes the id of a call again once its result is there', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const round = [
      { role: 'assistant', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'done' },
    ];
    expect(translated(...round, ...round).items).toHaveLength(4);
  });
});
