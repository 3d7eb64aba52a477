/**
 * The catalogue of errors that a caller can see. Each knows its HTTP status and whether a client should try again.
 * Messages say what to do; they hold no secret, no body and no upstream's text.
 */

interface CatalogueEntry {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  /** The value of `x-should-retry` where the official clients would otherwise decide wrongly. */
  readonly shouldRetry?: boolean;
}

export const ERROR_CATALOGUE = {
  invalid_api_key: { status: 401, type: 'invalid_request_error', code: 'invalid_api_key' },
  insufficient_permissions: { status: 403, type: 'invalid_request_error', code: 'insufficient_permissions' },
  model_not_found: { status: 404, type: 'invalid_request_error', code: 'model_not_found' },
  not_found: { status: 404, type: 'invalid_request_error', code: null },
  invalid_request: { status: 400, type: 'invalid_request_error', code: null },
  invalid_value: { status: 400, type: 'invalid_request_error', code: 'invalid_value' },
  invalid_type: { status: 400, type: 'invalid_request_error', code: 'invalid_type' },
  missing_required_parameter: { status: 400, type: 'invalid_request_error', code: 'missing_required_parameter' },
  unsupported_parameter: { status: 400, type: 'invalid_request_error', code: 'unsupported_parameter' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', code: 'context_length_exceeded' },
  content_policy_violation: { status: 400, type: 'invalid_request_error', code: 'content_policy_violation' },
  idempotency_key_reused: {
    status: 409,
    type: 'invalid_request_error',
    code: 'idempotency_key_reused',
    shouldRetry: false,
  },
  conflict: { status: 409, type: 'invalid_request_error', code: null, shouldRetry: false },
  request_too_large: { status: 413, type: 'invalid_request_error', code: 'request_too_large' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error', code: 'unsupported_media_type' },
  rate_limit_exceeded: { status: 429, type: 'requests', code: 'rate_limit_exceeded' },
  insufficient_quota: { status: 429, type: 'insufficient_quota', code: 'insufficient_quota', shouldRetry: false },
  usage_limit_reached: { status: 429, type: 'usage_limit_reached', code: 'usage_limit_reached', shouldRetry: false },
  server_is_overloaded: { status: 503, type: 'service_unavailable_error', code: 'server_is_overloaded' },
  upstream_broken: { status: 502, type: 'server_error', code: null },
  insufficient_storage: { status: 507, type: 'server_error', code: 'insufficient_storage', shouldRetry: false },
  internal: { status: 500, type: 'server_error', code: null },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorName = keyof typeof ERROR_CATALOGUE;

/** OpenAI's error body: always all four keys, and `resets_at` where a window's end is known. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
    readonly resets_at?: number;
  };
}

interface ApiErrorOptions {
  /** The parameter at fault, as the caller wrote it. */
  readonly param?: string | undefined;
  /** Milliseconds after which a retry makes sense. */
  readonly retryAfterMs?: number | undefined;
  /** Unix milliseconds at which the earliest window opens again. */
  readonly resetsAtMs?: number | undefined;
  /** What the official clients are to do, where the catalogue is too coarse. */
  readonly shouldRetry?: boolean | undefined;
  readonly cause?: unknown;
}

/** An error that ends as an answer to the caller. Throw it anywhere below a route; the error handler does the rest. */
export class ApiError extends Error {
  readonly errorName: ErrorName;
  readonly status: number;
  readonly param: string | null;
  readonly retryAfterMs: number | undefined;
  readonly resetsAtMs: number | undefined;
  readonly shouldRetry: boolean | undefined;

  constructor(errorName: ErrorName, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ApiError';
    this.errorName = errorName;
    this.status = ERROR_CATALOGUE[errorName].status;
    this.param = options.param ?? null;
    this.retryAfterMs = options.retryAfterMs;
    this.resetsAtMs = options.resetsAtMs;
    const entry: CatalogueEntry = ERROR_CATALOGUE[errorName];
    this.shouldRetry = options.shouldRetry ?? entry.shouldRetry;
  }

  get body(): ErrorBody {
    const { type, code } = ERROR_CATALOGUE[this.errorName];
    const resets = this.resetsAtMs === undefined ? {} : { resets_at: Math.ceil(this.resetsAtMs / 1000) };
    return { error: { message: this.message, type, param: this.param, code, ...resets } };
  }
}
