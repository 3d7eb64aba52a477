import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dataUrl, IMAGES, pngOf } from './images.ts';
import { says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount();
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());
beforeEach(() => under.backend.reset());

const PNG = IMAGES['image/png'];
const JPEG = IMAGES['image/jpeg'];
const WITHOUT_TABLES = Buffer.concat([
  JPEG.subarray(0, JPEG.indexOf(Buffer.of(0xff, 0xc4))),
  JPEG.subarray(JPEG.indexOf(Buffer.of(0xff, 0xda))),
]);
const image = (url: string, detail?: string): object => ({ type: 'image_url', image_url: { url, detail } });

/** The parts of the message that the model got. */
function partsSeen(): unknown {
  const [attempt] = under.backend.attempts();
  return (attempt?.input as readonly { readonly content: unknown }[] | undefined)?.at(-1)?.content;
}

/** Right as far as a head tells. */
const DAMAGED: readonly (readonly [string, string])[] = [
  ['a PNG that is cut', dataUrl('image/png', pngOf(50, 50).subarray(0, 60))],
  ['a PNG with a wrong checksum', dataUrl('image/png', Buffer.from(PNG).fill(0, 29, 33))],
  ['a JPEG without its tables', dataUrl('image/jpeg', WITHOUT_TABLES)],
  ['a WebP without its picture', dataUrl('image/webp', IMAGES['image/webp'].subarray(0, 30))],
];

describe('images on a plan lane', () => {
  it.each(Object.entries(IMAGES))('has the CLI read %s', async (type, bytes) => {
    const outcome = await under.complete(says([{ type: 'text', text: 'see' }, image(dataUrl(type, bytes))]));
    expect(textOf(outcome)).toBe('echo: see');
    expect(partsSeen()).toEqual([
      { type: 'input_text', text: 'see' },
      expect.objectContaining({ type: 'input_image' }),
    ]);
  });

  // Each item has to be echoed by the CLI: what the model is asked waits for it.
  it('are read behind items of every kind', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '' } };
    const messages = [
      { role: 'system', content: '' },
      { role: 'user', content: '' },
      { role: 'assistant', content: '' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: '' },
      { role: 'user', content: [{ type: 'text', text: 'see' }, image(dataUrl('image/png', PNG))] },
    ];
    expect(textOf(await under.complete({ messages }))).toBe('echo: see');
  });

  it.each(DAMAGED)('does not ask the model about %s', async (_, url) => {
    const outcome = await under.complete(says([image(dataUrl('image/png', PNG)), image(url)]));
    expect(outcome).toMatchObject({
      ok: false,
      failure: { class: 'unsupported', param: 'messages', reachedUpstream: false },
      callerAnswer: { status: 400 },
    });
    expect(under.backend.attempts()).toEqual([]);
  });

  it('names the input of a response, and goes on with the next request', async () => {
    const content = [{ type: 'input_image', image_url: DAMAGED[0]?.[1] }];
    const input = [{ role: 'user', content }];
    const outcome = await under.complete({ messages: undefined, input }, { operation: 'responses' });
    expect(outcome).toMatchObject({ failure: { class: 'unsupported', param: 'input' }, callerAnswer: { status: 400 } });
    expect(textOf(await under.complete(says('hello')))).toBe('echo: hello');
  });

  it.each(['images.preparation_error', '"content_item_kinds":["images.preparation_error"]'])(
    'is not misled by a caller who writes %s',
    async (text) => {
      expect(textOf(await under.complete(says([{ type: 'text', text }])))).toBe(`echo: ${text}`);
    },
  );

  it.each([
    ['gpt-5.5', undefined, undefined, []],
    ['gpt-5.5', 'auto', 'auto', []],
    ['gpt-5.5', 'high', 'high', []],
    ['gpt-5.5', 'original', 'high', ['messages.content.image_url.detail']],
    ['gpt-5.5', 'low', undefined, ['messages.content.image_url.detail']],
    ['gpt-6-astra', 'auto', undefined, []],
    ['gpt-6-astra', 'high', undefined, ['messages.content.image_url.detail']],
  ])('shows %s an image with the detail %s as %s', async (model, detail, shown, ignoredParams) => {
    const url = dataUrl('image/png', PNG);
    expect(await under.complete({ ...says([image(url, detail)]), model }, { model })).toMatchObject({
      ok: true,
      ignoredParams,
    });
    expect(partsSeen()).toEqual([
      { type: 'input_image', image_url: url, ...(shown === undefined ? {} : { detail: shown }) },
    ]);
  });

  it('asks nothing of the CLI for more pixels than its memory is for', async () => {
    const url = dataUrl('image/png', pngOf(10_000, 5_001));
    expect(await under.complete(says([image(url)]))).toMatchObject({
      failure: { class: 'unsupported', param: 'messages[0].content[0].image_url.url' },
      callerAnswer: { status: 400 },
    });
    expect(under.backend.attempts()).toEqual([]);
  });
});
