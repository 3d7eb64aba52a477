import { describe, expect, it } from 'vitest';
import { pixelsOf } from '../../../lanes/codex/image-size.ts';
import { IMAGES, pngOf } from './images.ts';

/** The image with a 16-bit number at some places. */
function withNumbers(image: Buffer, numbers: Readonly<Record<number, number>>, bigEndian = false): Buffer {
  const changed = Buffer.from(image);
  for (const [at, number] of Object.entries(numbers)) {
    if (bigEndian) changed.writeUInt16BE(number, Number(at));
    else changed.writeUInt16LE(number, Number(at));
  }
  return changed;
}

function webpChunk(name: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.length);
  return Buffer.concat([Buffer.from(name), length, data, Buffer.alloc(data.length % 2)]);
}
const webpOf = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('RIFF'), Buffer.alloc(4), Buffer.from('WEBP'), ...chunks]);
/** Width 300, height 200, each less one. */
const CANVAS = webpChunk('VP8X', Buffer.from([0, 0, 0, 0, 43, 1, 0, 199, 0, 0]));
const lossy = (width: number, height: number): Buffer =>
  webpChunk('VP8 ', withNumbers(Buffer.alloc(10), { 6: width, 8: height }));
const lossless = (width: number, height: number): Buffer => {
  const data = Buffer.alloc(5);
  data.writeUInt32LE((width - 1) | ((height - 1) << 14), 1);
  return webpChunk('VP8L', data);
};

const JPEG = IMAGES['image/jpeg'];
const FRAME = JPEG.indexOf(Buffer.from([0xff, 0xc0]));
const GIF = IMAGES['image/gif'];
const GIF_FRAME = GIF.indexOf(0x2c);

describe('pixelsOf', () => {
  it.each([
    ['png', 4, IMAGES['image/png']],
    ['png', 60_000, pngOf(300, 200)],
    ['jpeg', 1, JPEG],
    ['jpeg', 60_000, withNumbers(JPEG, { [FRAME + 5]: 200, [FRAME + 7]: 300 }, true)],
    ['jpeg', 1, Buffer.concat([JPEG.subarray(0, 2), Buffer.from([0xff, 0xff, 0x01]), JPEG.subarray(2)])],
    ['gif', 1, GIF],
    ['gif', 60_000, withNumbers(GIF, { 6: 300, 8: 200 })],
    ['gif', 60_000, withNumbers(GIF, { [GIF_FRAME + 5]: 300, [GIF_FRAME + 7]: 200 })],
    ['webp', 1, IMAGES['image/webp']],
    ['webp', 60_000, webpOf(CANVAS, lossy(1, 1))],
    ['webp', 70_000, webpOf(CANVAS, webpChunk('ICCP', Buffer.alloc(3)), lossy(350, 200))],
    ['webp', 60_000, webpOf(lossless(300, 200))],
    [
      'webp',
      268_402_689,
      webpOf(CANVAS, webpChunk('ANMF', Buffer.concat([Buffer.alloc(16), lossless(16_383, 16_383)]))),
    ],
  ] as const)('reads the size of a %s: %d', (kind, pixels, bytes) => {
    expect(pixelsOf(kind, bytes)).toBe(pixels);
  });

  it.each([
    ['png', Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1')],
    ['png', pngOf(0, 2)],
    ['png', Buffer.alloc(40)],
    ['jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2])],
    ['jpeg', JPEG.subarray(0, FRAME)],
    ['jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xda, ...Array<number>(20).fill(0)])],
    ['gif', GIF.subarray(0, 20)],
    ['gif', withNumbers(GIF, { 6: 0, [GIF_FRAME + 5]: 0 })],
    ['webp', Buffer.from('RIFF....WEBPVP8 ')],
    ['webp', Buffer.from('RIFF....WEBP')],
    ['jpeg', Buffer.concat([JPEG.subarray(0, 2), Buffer.alloc(200_000, 0xff), JPEG.subarray(2)])],
    ['jpeg', Buffer.concat([JPEG.subarray(0, FRAME), Buffer.from('garbage'), JPEG.subarray(FRAME)])],
    ['gif', Buffer.concat([GIF.subarray(0, 19), Buffer.of(0x21, 0xfe), Buffer.alloc(400_000, 1), GIF.subarray(18)])],
    ['webp', webpOf(lossy(1, 1), ...Array<Buffer>(100_001).fill(webpChunk('EXIF', Buffer.alloc(0))))],
  ] as const)('knows none for a %s that is cut, empty or made to keep us busy', (kind, bytes) => {
    expect(pixelsOf(kind, bytes)).toBeUndefined();
  });
});
