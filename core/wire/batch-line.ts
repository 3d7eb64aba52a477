import { isJsonObject } from './json-object.ts';
import { checkLineBody, embeddingInputs, type LineProblem } from './batch-body.ts';
import { operationOfEndpoint } from './batch-endpoints.ts';
import { MAX_JSON_DEPTH, MAX_JSON_VALUES, parseBoundedJson, type BoundedJson } from './json-limits.ts';

export type { LineProblem } from './batch-body.ts';

/** One row of a batch's input, checked. */
export interface BatchLine {
  readonly customId: string;
  readonly model: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Texts of which it wants embeddings; 0 for other endpoints. */
  readonly embeddingInputs: number;
}

export type CheckedLine =
  | { readonly ok: true; readonly line: BatchLine }
  | { readonly ok: false; readonly problem: LineProblem };

/** A `custom_id` stands in every result and in memory while a file is validated; longer ones are taken for a mistake. */
const MAX_CUSTOM_ID_BYTES = 4096;

/** Characters of a caller's value that are repeated to them in an error. */
const QUOTED_CHARACTERS = 200;

const REQUIRED_FIELDS = ['custom_id', 'method', 'url', 'body'] as const;

/**
 * Checks one line for itself; what needs the rest of the file (duplicates) or the routes (models) is the validation's.
 * The first problem in this order counts: JSON, the four fields, method, url, body.
 */
export function checkBatchLine(bytes: Uint8Array, endpoint: string): CheckedLine {
  const parsed = parseBoundedJson(bytes);
  if (!parsed.ok) return refused(jsonProblem(parsed));
  const { value } = parsed;
  if (!isJsonObject(value)) return refused(jsonProblem({ ok: false, reason: 'not_json' }));
  for (const field of REQUIRED_FIELDS) {
    if (value[field] === undefined || value[field] === null || value[field] === '') return refused(missing(field));
  }
  const { custom_id: customId, method, url, body } = value as Record<(typeof REQUIRED_FIELDS)[number], unknown>;
  if (typeof customId !== 'string') return refused(wrongType('custom_id', 'a string'));
  const customIdProblem = checkCustomId(customId);
  if (customIdProblem !== null) return refused(customIdProblem);
  if (method !== 'POST') {
    return refused({ code: 'invalid_method', message: 'Only POST is supported.', param: 'method' });
  }
  if (url !== endpoint) {
    const message = 'The URL provided for this request does not match the batch endpoint.';
    return refused({ code: 'invalid_url', message, param: 'url' });
  }
  if (!isJsonObject(body)) return refused(wrongType('body', 'an object'));
  const operation = operationOfEndpoint(endpoint);
  const bodyProblem = checkLineBody(operation, body);
  if (bodyProblem !== null) return refused(bodyProblem);
  const model = String(body['model']);
  return { ok: true, line: { customId, model, body, embeddingInputs: embeddingInputs(operation, body) } };
}

/** A line that names a model that no lane of the key serves. */
export function modelNotFound(model: string): LineProblem {
  const message = `The provided model '${model.slice(0, QUOTED_CHARACTERS)}' is not supported by the Batch API.`;
  return { code: 'model_not_found', message, param: 'body.model' };
}

/** A line whose `custom_id` an earlier line has. */
export function duplicateCustomId(customId: string, firstLine: number): LineProblem {
  const message = `The custom_id '${customId.slice(0, QUOTED_CHARACTERS)}' is used by line ${firstLine} already; it must be unique in the file.`;
  return { code: 'duplicate_custom_id', message, param: 'custom_id' };
}

/** A line that is longer than may be held. */
export function lineTooLong(maxBytes: number): LineProblem {
  return { code: 'invalid_request', message: `This line is longer than ${maxBytes} bytes.`, param: null };
}

function refused(problem: LineProblem): CheckedLine {
  return { ok: false, problem };
}

function missing(field: string): LineProblem {
  return { code: 'missing_required_parameter', message: `Missing required parameter: '${field}'.`, param: field };
}

function wrongType(param: string, expected: string): LineProblem {
  return { code: 'invalid_type', message: `Invalid type for '${param}': expected ${expected}.`, param };
}

function checkCustomId(customId: string): LineProblem | null {
  const bytes = Buffer.from(customId, 'utf8');
  if (bytes.length > MAX_CUSTOM_ID_BYTES) {
    return {
      code: 'invalid_request',
      message: `The custom_id is longer than ${MAX_CUSTOM_ID_BYTES} bytes.`,
      param: 'custom_id',
    };
  }
  // Half a surrogate pair has no UTF-8: it would come back from the database as another text.
  if (bytes.toString('utf8') !== customId) {
    return { code: 'invalid_request', message: 'The custom_id is not valid Unicode text.', param: 'custom_id' };
  }
  return null;
}

/** Why a text is no JSON that may be used, in the words of OpenAI's validation. */
export function jsonProblem(parsed: Exclude<BoundedJson, { ok: true }>): LineProblem {
  switch (parsed.reason) {
    case 'not_json':
    case 'not_utf8':
      return { code: 'invalid_json_line', message: 'This line is not parseable as valid JSON.', param: null };
    case 'too_deep':
      return {
        code: 'invalid_json_line',
        message: `This line is not parseable: it nests deeper than ${MAX_JSON_DEPTH} levels.`,
        param: null,
      };
    case 'too_wide':
      return {
        code: 'invalid_json_line',
        message: `This line is not parseable: it has more than ${MAX_JSON_VALUES} values.`,
        param: null,
      };
    case 'number_too_large':
      return { code: 'invalid_request', message: 'A number of this line is too large.', param: null };
    case 'forbidden_key':
      return { code: 'invalid_request', message: `The key '${parsed.key}' is not allowed.`, param: null };
  }
}
