import type { Operation } from '../../core/lane-port.ts';
import { costsNoMore, unlistedTier } from '../../core/service-tier.ts';
import type { CostMicros } from './costs.ts';
import { outputLimit } from './output-limits.ts';

/**
 * An image that a URL names costs no more than this: gpt-4o-mini, the dearest in tokens, takes 2,833 and 5,667 for each of at
 * most eight tiles.
 */
const IMAGE_TOKENS = 50_000;

/**
 * A file that is named by an id or a URL may be of any length, and one that is in the body may be packed: a page of a PDF can have more
 * tokens than bytes. It costs no more than the longest context there is.
 */
const FILE_TOKENS = 1_100_000;

export interface PricedRequest {
  readonly operation: Operation;
  readonly body: Readonly<Record<string, unknown>>;
  /** The body as JSON text. */
  readonly bodyText: string;
  /** The model's name at the lane. */
  readonly model: string;
}

/**
 * What a request may cost at most, in millionths of a dollar; null where the price is unknown, be it that of the service tier that it
 * asks for. A token stands for at least one
 * byte of the body, and what a message costs beside its text is less than its JSON; so bytes bound the prompt. The answer is
 * bounded by what the request asks for, else by what the model writes at most.
 */
export function mostCost(costMicros: CostMicros, request: PricedRequest): number | null {
  const promptTokens = promptBound(request);
  const completionTokens = answerBound(request);
  const most = (tier: { readonly serviceTier?: string }): number | null => {
    const tokens = { promptTokens, completionTokens, reasoningTokens: 0, ...tier };
    // An owner's own price may be higher for what is cached.
    const fresh = costMicros(request.model, { ...tokens, cachedPromptTokens: 0 });
    const cached = costMicros(request.model, { ...tokens, cachedPromptTokens: promptTokens });
    return fresh === null || cached === null ? null : Math.max(fresh, cached);
  };
  const listed = most({});
  const serviceTier = unlistedTier(request.body['service_tier']);
  if (listed === null || serviceTier === undefined) return listed;
  // A provider may serve it at the usual tier all the same, and at the usual price.
  const atTier = most({ serviceTier }) ?? (costsNoMore(serviceTier) ? listed : null);
  return atTier === null ? null : Math.max(listed, atTier);
}

function promptBound({ bodyText }: PricedRequest): number {
  const images = count(bodyText, /"type":"(?:image_url|input_image)"/g);
  const files = count(bodyText, /"(?:file_id|file_url|file_data)":"/g);
  return Buffer.byteLength(bodyText) + images * IMAGE_TOKENS + files * FILE_TOKENS;
}

function answerBound({ operation, body, model }: PricedRequest): number {
  if (operation === 'embeddings') return 0;
  const asked =
    operation === 'responses' ? [body['max_output_tokens']] : [body['max_completion_tokens'], body['max_tokens']];
  const bound = asked.find(isCount) ?? outputLimit(model);
  const answers = operation === 'chat' && isCount(body['n']) ? body['n'] : 1;
  // Text that the request predicts, and that does not come, is written and billed as well.
  const prediction = body['prediction'] === undefined ? 0 : Buffer.byteLength(JSON.stringify(body['prediction']));
  return (bound + prediction) * answers;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
