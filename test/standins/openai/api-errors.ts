import type { MagicWords } from '../magic-words.ts';

export interface OpenaiRefusal {
  readonly status: number;
  readonly body: { readonly error: Readonly<Record<string, string | null>> };
  readonly headers: Readonly<Record<string, string>>;
}

/** An error as OpenAI writes it: always all four keys. */
export function refuse(
  status: number,
  type: string,
  code: string | null,
  message: string,
  param?: string,
): OpenaiRefusal {
  return { status, body: { error: { message, type, param: param ?? null, code } }, headers: {} };
}

export function unknownKeyRefusal(): OpenaiRefusal {
  return refuse(401, 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.');
}

export function quotaRefusal(): OpenaiRefusal {
  const message = 'You exceeded your current quota, please check your plan and billing details.';
  return refuse(429, 'insufficient_quota', 'insufficient_quota', message);
}

export function unknownModelRefusal(model: string): OpenaiRefusal {
  const message = `The model \`${model}\` does not exist or you do not have access to it.`;
  return refuse(404, 'invalid_request_error', 'model_not_found', message);
}

/** The refusal that a failure word asks for; undefined for words that fail otherwise. */
export function refusalOf(words: MagicWords): OpenaiRefusal | undefined {
  const refusal = bareRefusal(words);
  if (refusal === undefined || words.retryAfterSeconds === undefined) return refusal;
  const seconds = words.retryAfterSeconds;
  return { ...refusal, headers: { 'retry-after': String(seconds), 'retry-after-ms': String(seconds * 1000) } };
}

function bareRefusal({ failure }: MagicWords): OpenaiRefusal | undefined {
  switch (failure?.kind) {
    case 'limit':
      return quotaRefusal();
    case 'context':
      return refuse(
        400,
        'invalid_request_error',
        'context_length_exceeded',
        "This model's maximum context length is 128000 tokens.",
        'messages',
      );
    case 'policy':
      return refuse(400, 'invalid_request_error', 'content_policy_violation', 'Your request was rejected.');
    case 'status':
      return statusRefusal(failure.status);
    default:
      return undefined;
  }
}

function statusRefusal(status: number): OpenaiRefusal {
  if (status === 401) return unknownKeyRefusal();
  if (status === 429) return refuse(429, 'requests', 'rate_limit_exceeded', 'Rate limit reached.');
  if (status === 503) return refuse(503, 'service_unavailable_error', 'server_is_overloaded', 'Overloaded.');
  return refuse(status, status < 500 ? 'invalid_request_error' : 'server_error', null, 'As scripted.');
}
