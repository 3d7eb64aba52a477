/** The kinds of images whose size can be read. */
export type ImageKind = 'png' | 'jpeg' | 'gif' | 'webp';

/**
 * How many pixels a decoder would make room for, read from an image's head; undefined where the head has no size. Decodes
 * nothing. Where an image names several sizes (the frame of a GIF or WebP beside the whole) the largest counts: it costs the
 * room, whatever the whole says.
 */
export function pixelsOf(kind: ImageKind, bytes: Buffer): number | undefined {
  try {
    const pixels = READERS[kind](bytes);
    return pixels > 0 ? pixels : undefined;
  } catch {
    // Buffer throws a RangeError past its end: the image is cut in its head.
    return undefined;
  }
}

/** Far more than the parts of any head (20 MB of a GIF's comments are 82,000): what has more is made to keep us busy. */
const MAX_PARTS = 100_000;

const READERS: Readonly<Record<ImageKind, (bytes: Buffer) => number>> = {
  png: pngPixels,
  jpeg: jpegPixels,
  gif: gifPixels,
  webp: webpPixels,
};

/** The first chunk is IHDR, with width and height in front. */
function pngPixels(bytes: Buffer): number {
  return bytes.readUInt32BE(12) === 0x49484452 ? bytes.readUInt32BE(16) * bytes.readUInt32BE(20) : 0;
}

/** Segments up to the first scan. Frames are C0 to CF, without the tables C4, C8 and CC. */
function jpegPixels(bytes: Buffer): number {
  let pixels = 0;
  let at = 2;
  for (let part = 0; part < MAX_PARTS && bytes.readUInt8(at) === 0xff; part += 1) {
    const marker = bytes.readUInt8(at + 1);
    if (marker === 0xda) return pixels;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      pixels = Math.max(pixels, bytes.readUInt16BE(at + 5) * bytes.readUInt16BE(at + 7));
    }
    at += jpegStep(marker) ?? 2 + bytes.readUInt16BE(at + 2);
  }
  return 0;
}

/** A marker may be padded in front with more of FF, and 01 and D0 to D7 stand alone; the others say their length. */
function jpegStep(marker: number): number | undefined {
  if (marker === 0xff) return 1;
  return marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7) ? 2 : undefined;
}

/** The screen, and the first frame behind colours and extensions: the CLI takes that frame alone. */
function gifPixels(bytes: Buffer): number {
  const screen = bytes.readUInt16LE(6) * bytes.readUInt16LE(8);
  const flags = bytes.readUInt8(10);
  let at = 13 + ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 0x07) + 1));
  let part = 0;
  for (; part < MAX_PARTS && bytes.readUInt8(at) === 0x21; part += 1) {
    at += 2;
    for (; part < MAX_PARTS && bytes.readUInt8(at) > 0; part += 1) at += 1 + bytes.readUInt8(at);
    at += 1;
  }
  if (part >= MAX_PARTS) return 0;
  return bytes.readUInt8(at) === 0x2c ? Math.max(screen, bytes.readUInt16LE(at + 5) * bytes.readUInt16LE(at + 7)) : 0;
}

/** The names of chunks of a WebP as numbers, which are compared without a string for each. */
const VP8X = 0x56503858;
const VP8_LOSSY = 0x56503820;
const VP8_LOSSLESS = 0x5650384c;
const ANIMATION_FRAME = 0x414e4d46;

/** The canvas (VP8X) and each frame (VP8, VP8L), also inside of ANMF, which has 16 bytes of its own in front. */
function webpPixels(bytes: Buffer): number {
  let pixels = 0;
  let at = 12;
  for (let part = 0; at + 8 <= bytes.length; part += 1) {
    if (part === MAX_PARTS) return 0;
    const chunk = bytes.readUInt32BE(at);
    const data = at + 8;
    if (chunk === VP8X) {
      pixels = Math.max(pixels, (bytes.readUIntLE(data + 4, 3) + 1) * (bytes.readUIntLE(data + 7, 3) + 1));
    } else if (chunk === VP8_LOSSY) {
      const [width, height] = [bytes.readUInt16LE(data + 6), bytes.readUInt16LE(data + 8)];
      pixels = Math.max(pixels, (width & 0x3fff) * (height & 0x3fff));
    } else if (chunk === VP8_LOSSLESS) {
      const bits = bytes.readUInt32LE(data + 1);
      pixels = Math.max(pixels, ((bits & 0x3fff) + 1) * (((bits >>> 14) & 0x3fff) + 1));
    }
    const length = bytes.readUInt32LE(at + 4);
    // Chunks begin at even places.
    at = data + (chunk === ANIMATION_FRAME ? 16 : length + (length % 2));
  }
  return pixels;
}
