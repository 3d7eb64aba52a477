import { ApiError } from '../../core/errors.ts';
import { createLineMeasure, type ModelMeasure } from '../../core/quote/measure-lines.ts';
import { operationOfEndpoint } from '../../core/wire/batch-endpoints.ts';
import type { LineProblem } from '../../core/wire/batch-line.ts';
import type { NumberedLine } from './read-lines.ts';

/** OpenAI's limit for one batch. */
const MAX_LINES = 50_000;

/** A quote lists each: a file with more of them has a mistake in its template. */
const MAX_MODELS = 100;

export interface MeasuredFile {
  readonly models: readonly ModelMeasure[];
  /** Lines for which the batch would be refused, and the first of them. */
  readonly invalid: number;
  readonly firstInvalid: (LineProblem & { readonly line: number | null }) | null;
}

/**
 * Adds up a file's lines, in one pass.
 * @throws ApiError for a file that is too long for a quote to be of use
 */
export async function measureFile(lines: AsyncIterable<NumberedLine>, endpoint: string): Promise<MeasuredFile> {
  const measure = createLineMeasure(operationOfEndpoint(endpoint));
  const models = new Set<string>();
  let seen = 0;
  let invalid = 0;
  let firstInvalid: MeasuredFile['firstInvalid'] = null;
  for await (const { number, checked } of lines) {
    if (++seen > MAX_LINES) throw refusal(`The input file has more than ${MAX_LINES} lines.`);
    if (checked.ok) {
      models.add(checked.line.model);
      if (models.size > MAX_MODELS) throw refusal(`The input file names more than ${MAX_MODELS} models.`);
      measure.add(checked.line.model, checked.line.body);
      continue;
    }
    invalid += 1;
    firstInvalid ??= { ...checked.problem, line: number };
  }
  return { models: measure.models(), invalid, firstInvalid };
}

function refusal(message: string): ApiError {
  return new ApiError('invalid_request', message, { param: 'input_file_id' });
}
