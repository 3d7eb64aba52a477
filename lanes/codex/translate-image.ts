import { pixelsOf, type ImageKind } from './image-size.ts';
import { LITE_MODELS } from './lite-models.ts';
import { isRefusal, unsupported, type Refusal } from './refusal.ts';

/** An image as a part of an item's content. */
export interface ImagePart {
  readonly type: 'input_image';
  readonly image_url: string;
  readonly detail?: string;
}

interface Image {
  readonly url: string;
  readonly detail?: string | null | undefined;
  /** Where the caller wrote them. */
  readonly urlParam: string;
  readonly detailParam: string;
}

/** Takes the images of one request, one after the other. */
export interface ImageTranslator {
  translate(image: Image): ImagePart | Refusal;
  /** True once the detail of an image has no effect, or another than the one that was asked for. */
  detailIgnored(): boolean;
}

/** OpenAI's limit for one image. */
const MAX_IMAGE_BYTES = 20 * 1024 * 1024;

/**
 * For all images of a request together: the CLI decodes each in its one process, whatever it weighs. Measured: one PNG of 7 MB
 * with 400 megapixels took 9.3 s and 2.3 GB, and every other request of the account waited for it.
 */
const MAX_PIXELS = 50_000_000;

const KINDS: Readonly<Record<string, ImageKind>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/jpg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
};

/** The first bytes of each kind of image that is taken, as the beginning of its base64 text. */
const IMAGE_HEADS: Readonly<Record<ImageKind, RegExp>> = {
  png: /^iVBORw0KGg/,
  jpeg: /^\/9j\//,
  gif: /^R0lGOD/,
  webp: /^UklGR/,
};

const DATA_URL_HEAD = /^data:([a-z]+\/[a-z0-9.+-]+);base64,/i;

const UNREADABLE = 'The image is not what its type says, or not base64.';

/**
 * What becomes of `detail` in the CLI (measured, with the bare catalogue): none, `auto` and `high` arrive as they are,
 * `original` becomes `high`, and an image with `low` is left out, so that one goes without. Lite models are told none.
 */
const DETAILS: Readonly<Record<string, { readonly detail?: string; readonly ignored: boolean }>> = {
  auto: { detail: 'auto', ignored: false },
  high: { detail: 'high', ignored: false },
  original: { detail: 'high', ignored: true },
  low: { ignored: true },
};

/**
 * Takes images as far as can be told without decoding them. The CLI puts a sentence in the place of an image that it can't
 * read and goes on; what is not found here is found in its echo (`injected-echo.ts`).
 */
export function createImageTranslator(model: string): ImageTranslator {
  const lite = LITE_MODELS.has(model);
  let pixels = 0;
  let ignored = false;
  return {
    translate({ url, detail, urlParam, detailParam }) {
      const size = readSize(url, urlParam);
      if (isRefusal(size)) return size;
      pixels += size;
      if (pixels > MAX_PIXELS) {
        return unsupported(urlParam, 'A plan lane takes images of 50 megapixels together, and these are larger.');
      }
      if (detail === undefined || detail === null) return { type: 'input_image', image_url: url };
      const known = Object.hasOwn(DETAILS, detail) ? DETAILS[detail] : undefined;
      if (known === undefined) {
        return unsupported(detailParam, `The detail of an image is one of ${Object.keys(DETAILS).join(', ')}.`);
      }
      ignored ||= known.ignored || (lite && known.detail === 'high');
      return {
        type: 'input_image',
        image_url: url,
        ...(known.detail === undefined ? {} : { detail: known.detail }),
      };
    },
    detailIgnored: () => ignored,
  };
}

/** Pixels of an image, or why it is not taken. */
function readSize(url: string, param: string): number | Refusal {
  const head = DATA_URL_HEAD.exec(url);
  if (head === null) {
    return unsupported(param, 'A plan lane takes images as base64 data: URLs only, and never fetches one.');
  }
  const kind = KINDS[(head[1] ?? '').toLowerCase()];
  if (kind === undefined) return unsupported(param, 'The image must be PNG, JPEG, GIF or WebP.');
  const data = url.slice(head[0].length);
  if ((data.length / 4) * 3 > MAX_IMAGE_BYTES) return unsupported(param, 'The image is larger than 20 MB.');
  if (!IMAGE_HEADS[kind].test(data)) return unsupported(param, UNREADABLE);
  const bytes = Buffer.from(data, 'base64');
  // Strictly, as the CLI reads it: no other characters, no padding but at the end, no bits behind the last byte.
  if (bytes.toString('base64') !== data) return unsupported(param, UNREADABLE);
  return pixelsOf(kind, bytes) ?? unsupported(param, UNREADABLE);
}
