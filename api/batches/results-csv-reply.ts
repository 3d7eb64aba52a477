import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { ApiError } from '../../core/errors.ts';
import type { BatchDoc } from '../../store/batches.ts';
import { parseBody } from '../parse-body.ts';
import { openResultsCsv, type ResultsCsvDeps } from './results-csv.ts';

const querySchema = z.object({
  kind: z.enum(['completed', 'failed']).optional(),
  columns: z.enum(['all', 'none']).default('all'),
  raw: z.enum(['true', 'false']).default('false'),
});

/** Pages are for readers that follow a batch; a table is asked for whole. */
const NOT_FOR_TABLES = ['after_line', 'limit'];

/**
 * Answers with a batch's results so far as one CSV file, streamed.
 * @param kept what the rows pass through
 * @throws ApiError for a query that CSV has not, or when the input is gone
 */
export async function sendResultsCsv(
  deps: ResultsCsvDeps,
  batch: BatchDoc,
  query: unknown,
  reply: FastifyReply,
  kept: (rows: AsyncIterable<string>) => AsyncIterable<string>,
): Promise<FastifyReply> {
  const { kind = null, columns, raw } = parseBody(querySchema, query);
  const unfit = NOT_FOR_TABLES.find((name) => typeof query === 'object' && query !== null && name in query);
  if (unfit !== undefined) {
    throw new ApiError('unsupported_parameter', `Unsupported parameter: '${unfit}' has no meaning for CSV.`, {
      param: unfit,
    });
  }
  const rows = await openResultsCsv(deps, batch, { kind, columns, raw: raw === 'true' });
  return reply
    .type('text/csv; charset=utf-8; header=present')
    .header('content-disposition', `attachment; filename="${batch._id}.csv"`)
    .send(Readable.from(kept(rows), { objectMode: false }));
}
