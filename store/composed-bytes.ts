import type { Db } from 'mongodb';
import { isDuplicateKey } from './database.ts';
import { createFileBytes } from './file-bytes.ts';
import { readAgain } from './read-again.ts';

/** Bytes that are stored already, as a piece of others. */
export interface BytesPart {
  readonly bodyId: string;
  readonly bytes: number;
}

/** Bytes that are those of their parts, one after the other. Never changed. */
interface CompositionDoc {
  readonly _id: string;
  readonly parts: readonly BytesPart[];
}

/**
 * Bytes of files, some of them composed of parts: a large file whose parts are there is made by writing down their order, and
 * no byte is copied. Who reads or removes bytes need not know which way they are stored. Indexes: `_id`, `parts.bodyId`.
 */
export function createComposedBytes(db: Db) {
  const plain = createFileBytes(db);
  const compositions = db.collection<CompositionDoc>('composed_bodies');

  return {
    ...plain,

    async ensureIndexes() {
      await plain.ensureIndexes();
      await compositions.createIndex({ 'parts.bodyId': 1 });
    },

    /** Makes the parts one body, for good: they are its own from now on. Safe to repeat with the same parts. */
    async compose(bodyId: string, parts: readonly BytesPart[]): Promise<void> {
      try {
        await compositions.insertOne({ _id: bodyId, parts });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    },

    /** True when the bytes are there, whole. */
    has: async (bodyId: string): Promise<boolean> =>
      (await compositions.findOne({ _id: bodyId }, { projection: { _id: 1 } })) !== null || plain.has(bodyId),

    /** True when these bytes are part of others. */
    isPart: async (bodyId: string): Promise<boolean> =>
      (await compositions.findOne({ 'parts.bodyId': bodyId }, { projection: { _id: 1 } })) !== null,

    /**
     * Streams the bytes from `start` up to, not including, `end`. Waits while the database is away, for half a minute.
     * @throws BytesGone
     */
    async *read(bodyId: string, start = 0, end = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer, void, undefined> {
      const composition = await readAgain(() => compositions.findOne({ _id: bodyId }));
      if (composition === null) {
        yield* plain.read(bodyId, start, end);
        return;
      }
      let offset = 0;
      for (const part of composition.parts) {
        const from = Math.max(start - offset, 0);
        const to = Math.min(end - offset, part.bytes);
        if (from < to) yield* plain.read(part.bodyId, from, to);
        offset += part.bytes;
      }
    },

    /** Removes the bytes with all their parts. Safe to repeat: what tells of the parts goes last. */
    async remove(bodyId: string): Promise<void> {
      const composition = await compositions.findOne({ _id: bodyId });
      for (const part of composition?.parts ?? []) await plain.remove(part.bodyId);
      if (composition !== null) await compositions.deleteOne({ _id: bodyId });
      await plain.remove(bodyId);
    },
  };
}
