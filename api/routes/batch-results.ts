import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { TERMINAL_BATCH_STATES } from '../../core/contracts/batch.ts';
import type { BatchResultStore } from '../../store/batch-results.ts';
import type { BatchStore } from '../../store/batches.ts';
import { noSuchBatch } from '../batches/no-such-batch.ts';
import { findResultPage, readLines, readResults } from '../batches/read-results.ts';
import { assertResultsKept, whileKept } from '../batches/results-kept.ts';
import { sendResultsCsv } from '../batches/results-csv-reply.ts';
import type { ResultsCsvDeps } from '../batches/results-csv.ts';
import { parseBody } from '../parse-body.ts';

/** Line numbers of a page, and sizes, are held while its lines are sent, and no more than that. */
const MAX_PAGE_LINES = 10_000;

const querySchema = z.object({
  kind: z.enum(['completed', 'failed']).optional(),
  after_line: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_LINES).optional(),
  format: z.enum(['jsonl', 'csv']).default('jsonl'),
});

export interface BatchResultsDeps extends ResultsCsvDeps {
  readonly batches: Pick<BatchStore, 'findOwned'>;
  readonly results: Pick<BatchResultStore, 'outcomes' | 'readWhole'>;
}

/**
 * `GET /v1/batches/{id}/results`: what has come out so far, while the batch runs and after it, as JSON lines in the shape of
 * the output and error files, in the order of the input. With `limit` two headers say how to go on: lines come out in any order,
 * so the last line of a page and the line up to which nothing is missing differ. With `format=csv` as a table, whole, beside the
 * columns of the input.
 */
export function registerBatchResultsRoute(app: FastifyInstance, deps: BatchResultsDeps): void {
  const { batches, results } = deps;
  app.get<{ Params: { readonly id: string } }>(
    '/v1/batches/:id/results',
    { exposeHeadRoute: false },
    async ({ params, query, caller }, reply) => {
      const { kind = null, after_line: afterLine, limit, format } = parseBody(querySchema, query);
      const batch = await batches.findOwned(caller.keyId, params.id);
      if (batch === null) throw noSuchBatch(params.id);
      assertResultsKept(batch);
      const kept = (lines: AsyncIterable<string>) => whileKept(lines, () => batches.findOwned(caller.keyId, batch._id));
      if (format === 'csv') return sendResultsCsv(deps, batch, query, reply, kept);
      const { total, completed, failed } = batch.counts;
      const counted = TERMINAL_BATCH_STATES.includes(batch.status) ? null : completed + failed;
      const range = { batchId: batch._id, afterLine, total, kind, counted };
      void reply.type('application/jsonl; charset=utf-8');
      if (limit === undefined) return reply.send(toStream(kept(readResults(results, range))));
      const { outcomes, completeTo } = await findResultPage(results, range, limit);
      return reply
        .header('x-flatlane-last-line', String(outcomes.at(-1)?.line ?? afterLine))
        .header('x-flatlane-complete-to-line', String(completeTo))
        .send(toStream(kept(readLines(results, batch._id, outcomes))));
    },
  );
}

function toStream(lines: AsyncIterable<string>): Readable {
  return Readable.from(lines, { objectMode: false });
}
