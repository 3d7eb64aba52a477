import { isJsonObject } from './json-object.ts';
import { ApiError } from '../errors.ts';
import { BATCH_ENDPOINTS } from './batch-endpoints.ts';
import { readBatchTemplate, type BatchTemplate } from './batch-template.ts';
import { readBatchWishes, type BatchWishes } from './batch-wishes.ts';
import { readExpiresAfter } from './expires-after.ts';

/** `POST /v1/batches`, the request, checked. */
export interface BatchCreate {
  readonly inputFileId: string;
  readonly endpoint: string;
  readonly completionWindow: string;
  readonly windowMs: number;
  readonly metadata: readonly { readonly key: string; readonly value: string }[] | null;
  readonly outputExpiresAfterSeconds: number | null;
  /** What makes lines of the file's rows; null when the file holds lines. */
  readonly template: BatchTemplate | null;
  /** What its metadata says of how it runs. */
  readonly wishes: BatchWishes;
}

const LONGEST_WINDOW_HOURS = 168;
/** OpenAI's limits for metadata. */
const METADATA_PAIRS = 16;
const METADATA_KEY_CHARACTERS = 64;
const METADATA_VALUE_CHARACTERS = 512;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Checks what can be refused at once. What is about the file's content comes later, as a failed batch.
 * @throws ApiError with OpenAI's code and param.
 */
export function readBatchCreate(body: unknown): BatchCreate {
  if (!isJsonObject(body)) throw new ApiError('invalid_request', 'The body must be a JSON object.');
  const inputFileId = requiredText(body, 'input_file_id');
  const endpoint = requiredText(body, 'endpoint');
  if (!BATCH_ENDPOINTS.includes(endpoint)) {
    const served = BATCH_ENDPOINTS.map((name) => `'${name}'`).join(', ');
    throw new ApiError('invalid_value', `Invalid value for 'endpoint': the endpoints served here are ${served}.`, {
      param: 'endpoint',
    });
  }
  const completionWindow = requiredText(body, 'completion_window');
  const windowMs = windowHours(completionWindow) * 3_600_000;
  const metadata = readMetadata(body['metadata']);
  const outputExpiresAfterSeconds = readOutputExpiry(body['output_expires_after']);
  const template = readBatchTemplate(body['template']);
  const wishes = readBatchWishes(metadata);
  return { inputFileId, endpoint, completionWindow, windowMs, metadata, outputExpiresAfterSeconds, template, wishes };
}

function windowHours(text: string): number {
  const hours = /^[1-9]\d{0,2}h$/.test(text) ? Number.parseInt(text, 10) : 0;
  if (hours >= 1 && hours <= LONGEST_WINDOW_HOURS) return hours;
  throw new ApiError(
    'invalid_value',
    `Invalid value for 'completion_window': expected '24h', or other whole hours up to '${LONGEST_WINDOW_HOURS}h'.`,
    { param: 'completion_window' },
  );
}

function readMetadata(value: unknown): BatchCreate['metadata'] {
  if (value === undefined || value === null) return null;
  if (!isJsonObject(value)) {
    throw new ApiError('invalid_type', "Invalid type for 'metadata': expected an object.", { param: 'metadata' });
  }
  const entries = Object.entries(value);
  if (entries.length > METADATA_PAIRS) {
    throw new ApiError('invalid_value', `Invalid 'metadata': at most ${METADATA_PAIRS} pairs.`, { param: 'metadata' });
  }
  return entries.map(([key, text]) => {
    if (isLonger(key, METADATA_KEY_CHARACTERS)) {
      throw new ApiError(
        'invalid_value',
        `Invalid 'metadata': keys have at most ${METADATA_KEY_CHARACTERS} characters.`,
        {
          param: 'metadata',
        },
      );
    }
    const param = `metadata.${key}`;
    if (typeof text !== 'string') {
      throw new ApiError('invalid_type', `Invalid type for '${param}': expected a string.`, { param });
    }
    if (isLonger(text, METADATA_VALUE_CHARACTERS)) {
      throw new ApiError('invalid_value', `Invalid '${param}': at most ${METADATA_VALUE_CHARACTERS} characters.`, {
        param,
      });
    }
    return { key, value: text };
  });
}

/** Characters as people count them, and not UTF-16 units: an emoji is one. */
function isLonger(text: string, characters: number): boolean {
  return text.length > characters && Array.from(text).length > characters;
}

function readOutputExpiry(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (!isJsonObject(value)) {
    throw new ApiError('invalid_type', "Invalid type for 'output_expires_after': expected an object.", {
      param: 'output_expires_after',
    });
  }
  const { anchor, seconds } = value as { anchor?: unknown; seconds?: unknown };
  return readExpiresAfter({ anchor, seconds }, (part) => `output_expires_after.${part}`);
}

function requiredText(body: Fields, name: string): string {
  const value = body[name];
  if (value === undefined || value === null) {
    throw new ApiError('missing_required_parameter', `Missing required parameter: '${name}'.`, { param: name });
  }
  if (typeof value !== 'string') {
    throw new ApiError('invalid_type', `Invalid type for '${name}': expected a string.`, { param: name });
  }
  return value;
}
