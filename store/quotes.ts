import type { Db } from 'mongodb';

/** An estimate that was given for a file, as it was told. */
export interface QuoteDoc {
  readonly _id: string;
  readonly ownerId: string;
  readonly fileId: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** JSON text: names of models must not become names of fields. */
  readonly text: string;
  /** For the TTL index, which wants a date. */
  readonly expireAt: Date;
}

/** As long as anybody compares: the files themselves are gone sooner unless their owner says otherwise. */
const KEEP_QUOTES_MS = 90 * 24 * 3_600_000;

/** Quotes. Indexes: `fileId, at` for those of a file; `expireAt`, as a TTL where there is one. */
export function createQuoteStore(db: Db) {
  const quotes = db.collection<QuoteDoc>('quotes');
  return {
    ensureIndexes: async () => {
      await quotes.createIndex({ fileId: 1, at: 1 });
      await quotes.createIndex({ expireAt: 1 }, { expireAfterSeconds: 0 });
    },

    /** Keeps a quote, and removes those that nobody needs any more. */
    async add(quote: Omit<QuoteDoc, 'expireAt'>): Promise<void> {
      await quotes.insertOne({ ...quote, expireAt: new Date(quote.at + KEEP_QUOTES_MS) });
      await quotes.deleteMany({ expireAt: { $lt: new Date(quote.at) } });
    },

    /** The last quote of a file that was given up to a time, in Unix milliseconds: what was known when a batch was made. */
    async lastBefore(ownerId: string, fileId: string, at: number): Promise<QuoteDoc | null> {
      const [found = null] = await quotes
        .find({ fileId, ownerId, at: { $lte: at } })
        .sort({ at: -1 })
        .limit(1)
        .toArray();
      return found;
    },
  };
}

export type QuoteStore = ReturnType<typeof createQuoteStore>;
