import { isJsonObject } from './json-object.ts';
import { ApiError } from '../errors.ts';
import { compileTemplate, type CompiledTemplate } from '../template/compile-template.ts';

/** `template` of `POST /v1/batches`, checked: what makes a request of each row of a CSV file or of plain JSON lines. */
export interface BatchTemplate {
  /** JSON text of `{body, custom_id}`, from which `compileStoredTemplate` makes the steps again. */
  readonly text: string;
  /** As given; null where it is found out from the header row. */
  readonly delimiter: string | null;
}

/** It is stored with the batch and stands in every line that is made of it. */
const MAX_TEMPLATE_BYTES = 256 * 1024;

const FIELDS: readonly string[] = ['body', 'custom_id', 'delimiter'];

/** Any ASCII character that is no letter, digit, quote, line break or other control but tab. */
const DELIMITER = /^[\t !#-/:-@[-`{-~]$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Checks what can be refused at once; whether the columns exist is known when the file is read.
 * @throws ApiError that names the part at fault, as in `template.body.messages[0].content`
 */
export function readBatchTemplate(value: unknown): BatchTemplate | null {
  if (value === undefined || value === null) return null;
  if (!isJsonObject(value)) throw wrongType('template', 'an object');
  for (const field of Object.keys(value)) {
    if (FIELDS.includes(field)) continue;
    const param = `template.${field}`;
    throw new ApiError('unsupported_parameter', `Unknown parameter: '${param}'.`, { param });
  }
  const {
    body,
    custom_id: customId = null,
    delimiter = null,
  } = value as Fields & {
    body?: unknown;
    custom_id?: unknown;
    delimiter?: unknown;
  };
  if (body === undefined || body === null) {
    throw new ApiError('missing_required_parameter', "Missing required parameter: 'template.body'.", {
      param: 'template.body',
    });
  }
  if (!isJsonObject(body)) throw wrongType('template.body', 'an object');
  if (customId !== null && typeof customId !== 'string') throw wrongType('template.custom_id', 'a string');
  if (customId === '') {
    throw new ApiError('invalid_value', "Invalid 'template.custom_id': it is empty. Leave it out to number the rows.", {
      param: 'template.custom_id',
    });
  }
  if (delimiter !== null && (typeof delimiter !== 'string' || !DELIMITER.test(delimiter))) {
    throw new ApiError(
      'invalid_value',
      "Invalid value for 'template.delimiter': expected one character, as ',' or ';'.",
      {
        param: 'template.delimiter',
      },
    );
  }
  const compiled = compileTemplate(body, customId);
  if (!compiled.ok) {
    const param = `template.${compiled.param}`;
    throw new ApiError('invalid_value', `Invalid '${param}': ${compiled.message}.`, { param });
  }
  const text = JSON.stringify({ body, custom_id: customId });
  if (Buffer.byteLength(text) > MAX_TEMPLATE_BYTES) {
    throw new ApiError('invalid_value', `Invalid 'template': at most ${MAX_TEMPLATE_BYTES} bytes.`, {
      param: 'template',
    });
  }
  return { text, delimiter };
}

/** The steps of a template that was checked before. */
export function compileStoredTemplate(text: string): CompiledTemplate {
  const { body, custom_id: customId } = JSON.parse(text) as { body: Fields; custom_id: string | null };
  const compiled = compileTemplate(body, customId);
  if (!compiled.ok) throw new Error('A stored template has become invalid.');
  return compiled.template;
}

function wrongType(param: string, expected: string): ApiError {
  return new ApiError('invalid_type', `Invalid type for '${param}': expected ${expected}.`, { param });
}
