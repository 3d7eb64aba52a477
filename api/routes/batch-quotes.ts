import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import { readBatchCreate, type BatchCreate } from '../../core/wire/batch-create.ts';
import { isCsvName } from '../../core/wire/file-name.ts';
import { isJsonObject } from '../../core/wire/json-object.ts';
import type { BatchStore } from '../../store/batches.ts';
import type { FileDoc, FileStore } from '../../store/files.ts';
import type { QuoteStore } from '../../store/quotes.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';
import { CallerGone } from '../completions/run-completion.ts';
import { goneSignal } from '../gone-signal.ts';
import { actualOf } from '../quotes/actual.ts';
import { createMakeQuote, type BatchQuote, type MakeQuoteDeps } from '../quotes/make-quote.ts';
import { measureFile } from '../quotes/measure-file.ts';
import { readLines } from '../quotes/read-lines.ts';

/** A quote reads a whole file in this process, which has answers to give meanwhile. */
const QUOTES_AT_A_TIME = 2;
const RETRY_AFTER_MS = 2_000;

/** OpenAI's, and that of most batches. */
const DEFAULT_WINDOW = '24h';

interface BatchQuoteDeps extends MakeQuoteDeps {
  readonly files: Pick<FileStore, 'findOwned' | 'bytes'>;
  readonly batches: Pick<BatchStore, 'findOwned'>;
  readonly quotes: QuoteStore;
  readonly clock: Clock;
}

/**
 * `POST /v1/batches/quote`: what a file will take before anything is spent. It has the body of `POST /v1/batches`, and changes nothing.
 * `GET /v1/batches/{id}/quote`: the last quote that was given for the batch's file before it was made, and what it took.
 */
export function registerBatchQuoteRoutes(app: FastifyInstance, deps: BatchQuoteDeps): void {
  const { files, batches, quotes, clock } = deps;
  const makeQuote = createMakeQuote(deps);
  let underWay = 0;

  app.post('/v1/batches/quote', async ({ body, caller }, reply): Promise<BatchQuote | typeof reply> => {
    const gone = goneSignal(reply);
    const create = readBatchCreate(isJsonObject(body) ? { completion_window: DEFAULT_WINDOW, ...body } : body);
    const file = await files.findOwned(caller.keyId, create.inputFileId, clock.now());
    if (file === null) {
      throw new ApiError('not_found', `No such File object: ${create.inputFileId}`, { param: 'input_file_id' });
    }
    checkFile(file, create);
    if (underWay >= QUOTES_AT_A_TIME) {
      throw new ApiError('server_is_overloaded', 'Other files are being quoted. Try again in a moment.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    underWay += 1;
    try {
      const lines = readLines(untilGone(files.bytes.read(file.bodyId), gone), {
        ...create,
        filename: file.filename,
      });
      const quote = await makeQuote(create, await measureFile(lines, create.endpoint), caller);
      await quotes.add({
        _id: quote.id,
        ownerId: caller.keyId,
        fileId: file._id,
        at: clock.now(),
        text: JSON.stringify(quote),
      });
      return quote;
    } catch (error) {
      if (error instanceof CallerGone) return reply.hijack();
      throw error;
    } finally {
      underWay -= 1;
    }
  });

  app.get<{ Params: { readonly id: string } }>('/v1/batches/:id/quote', async ({ params, caller }) => {
    const batch = await batches.findOwned(caller.keyId, params.id);
    if (batch === null) throw noSuchBatch(params.id);
    const quoted = await quotes.lastBefore(caller.keyId, batch.inputFileId, batch.createdAt);
    return {
      object: 'batch.quote_comparison',
      batch_id: batch._id,
      quote: quoted === null ? null : (JSON.parse(quoted.text) as BatchQuote),
      actual: actualOf(batch, clock.now()),
    };
  });
}

/** Reads no further for a caller who has left. @throws CallerGone */
async function* untilGone(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of source) {
    if (signal.aborted) throw new CallerGone();
    yield piece;
  }
}

/** @throws ApiError for a file of which no batch can be made */
function checkFile({ purpose, filename }: FileDoc, { template }: BatchCreate): void {
  if (purpose !== 'batch') {
    throw new ApiError('invalid_value', "Invalid 'input_file_id': the purpose of the file must be 'batch'.", {
      param: 'input_file_id',
    });
  }
  if (template === null && isCsvName(filename)) {
    throw new ApiError(
      'missing_required_parameter',
      "Missing required parameter: 'template'. The file is CSV, and a template says what request each row makes.",
      { param: 'template' },
    );
  }
}
