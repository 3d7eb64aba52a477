import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { ResponseHeaders } from './retry-after.ts';

const UNPACKERS: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
]);

/**
 * A response's body as it was before its coding; undefined for a coding that is not known here, and for several. Lanes ask for
 * none, but some providers and what stands before them pack all the same, and the answer is paid for. It is unpacked piece by
 * piece as it is read: whoever bounds what is read bounds what a small body may unfold to. Ended early, the connection is closed.
 */
export function unpackBody(headers: ResponseHeaders, body: Readable): Readable | undefined {
  const codings = [headers['content-encoding'] ?? []]
    .flat()
    .flatMap((value) => value.toLowerCase().split(','))
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  const [coding] = codings;
  if (coding === undefined) return body;
  const unpacker = codings.length === 1 ? UNPACKERS.get(coding)?.() : undefined;
  // Its reader is told of what breaks; the callback is there because a pipeline demands one.
  return unpacker === undefined ? undefined : pipeline(body, unpacker, () => {});
}
