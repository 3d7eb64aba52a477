import { describe, expect, it } from 'vitest';
import { isRefusal } from '../../../lanes/codex/refusal.ts';
import { createImageTranslator, type ImageTranslator } from '../../../lanes/codex/translate-image.ts';
import { dataUrl, IMAGES, pngOf } from './images.ts';

const PNG = dataUrl('image/png', IMAGES['image/png']);

function take(
  url: string,
  detail?: string | null,
  images: ImageTranslator = createImageTranslator('gpt-5.5'),
): unknown {
  const taken = images.translate({ url, detail, urlParam: 'the url', detailParam: 'the detail' });
  return isRefusal(taken) ? { class: taken.class, status: taken.error.status, param: taken.error.param } : taken;
}

/** The head of a PNG of this size: more is not read. */
function headOf(width: number, height: number): string {
  const head = Buffer.from(IMAGES['image/png']);
  head.writeUInt32BE(width, 16);
  head.writeUInt32BE(height, 20);
  return dataUrl('image/png', head);
}

const REFUSED = { class: 'unsupported', status: 400, param: 'the url' };

describe('createImageTranslator', () => {
  it.each(Object.entries(IMAGES))('takes %s', (type, bytes) => {
    const url = dataUrl(type, bytes);
    expect(take(url)).toEqual({ type: 'input_image', image_url: url });
  });

  it.each([
    ['padding that is too long', `${PNG}=`],
    ['padding that is missing', dataUrl('image/gif', Buffer.concat([IMAGES['image/gif'], Buffer.of(0)])).slice(0, -1)],
    ['padding in the middle', `${PNG.slice(0, 60)}=${PNG.slice(61)}`],
    ['bits behind its last byte', `${PNG.slice(0, -3)}J==`],
    ['a line break', `${PNG.slice(0, 62)}\n${PNG.slice(62)}`],
    ['nothing in it', 'data:image/png;base64,'],
    ['a head alone', 'data:image/jpeg;base64,/9j/4AABAg=='],
    ['another type than it says', dataUrl('image/jpeg', IMAGES['image/png'])],
  ])('does not take an image with %s', (_, url) => {
    expect(take(url)).toEqual(REFUSED);
  });

  it('takes images of 50 megapixels together, and no more', () => {
    expect(take(headOf(10_000, 5_000))).toMatchObject({ type: 'input_image' });
    expect(take(headOf(10_000, 5_001))).toEqual(REFUSED);
    expect(take(headOf(0xffffffff, 0xffffffff))).toEqual(REFUSED);
    const images = createImageTranslator('gpt-5.5');
    expect(take(headOf(6_000, 5_000), null, images)).toMatchObject({ type: 'input_image' });
    expect(take(headOf(6_000, 5_000), null, images)).toEqual(REFUSED);
  });

  it('takes a photo of a good camera', () => {
    expect(take(dataUrl('image/png', pngOf(6_000, 4_000)))).toMatchObject({ type: 'input_image' });
  });

  it.each([
    [undefined, undefined, false],
    [null, undefined, false],
    ['auto', 'auto', false],
    ['high', 'high', false],
    ['original', 'high', true],
    ['low', undefined, true],
  ])('makes detail %s into %s, and says %s of whether it is ignored', (detail, sent, ignored) => {
    const images = createImageTranslator('gpt-5.5');
    expect(take(PNG, detail, images)).toEqual({
      type: 'input_image',
      image_url: PNG,
      ...(sent === undefined ? {} : { detail: sent }),
    });
    expect(images.detailIgnored()).toBe(ignored);
  });

  it.each([
    ['high', true],
    ['auto', false],
    [undefined, false],
  ])('knows that a lite model is not told the detail %s: %s', (detail, ignored) => {
    const images = createImageTranslator('gpt-6-astra');
    take(PNG, detail, images);
    expect(images.detailIgnored()).toBe(ignored);
  });

  it.each(['banana', '', 'constructor'])('does not take the detail "%s"', (detail) => {
    expect(take(PNG, detail)).toEqual({ ...REFUSED, param: 'the detail' });
  });
});
