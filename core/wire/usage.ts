import type { TokenUsage } from '../lane-port.ts';
import { unlistedTier } from '../service-tier.ts';
import { isJsonObject } from './json-object.ts';

/**
 * Reads the `usage` of an answer or of a stream's last chunk: of a chat completion, of a response (which says input and output),
 * or of embeddings (which have no output, so their total is their prompt).
 * @returns null where prompt or completion tokens are missing or no counts: unknown stays unknown. Details that a provider
 * leaves out are 0, for then it knows no cache and no reasoning.
 */
export function readUsage(usage: unknown): TokenUsage | null {
  if (!isJsonObject(usage)) return null;
  const promptTokens = readCount(usage['prompt_tokens'] ?? usage['input_tokens']);
  const noOutput = promptTokens !== null && usage['total_tokens'] === promptTokens ? 0 : null;
  const completionTokens = readCount(usage['completion_tokens'] ?? usage['output_tokens'] ?? noOutput);
  if (promptTokens === null || completionTokens === null) return null;
  return {
    promptTokens,
    cachedPromptTokens: Math.min(
      promptTokens,
      readDetail(usage['prompt_tokens_details'] ?? usage['input_tokens_details'], 'cached_tokens'),
    ),
    completionTokens,
    reasoningTokens: Math.min(
      completionTokens,
      readDetail(usage['completion_tokens_details'] ?? usage['output_tokens_details'], 'reasoning_tokens'),
    ),
  };
}

/**
 * The usage of an answer with the tier that served it, where that has a price of its own.
 * @param served as the answer says it; where it says nothing, the one that was asked for counts
 */
export function usageAtTier(usage: TokenUsage | null, served: unknown, asked: unknown): TokenUsage | null {
  const serviceTier = unlistedTier(served ?? asked);
  return usage === null || serviceTier === undefined ? usage : { ...usage, serviceTier };
}

function readCount(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

function readDetail(details: unknown, name: string): number {
  return isJsonObject(details) ? (readCount(details[name]) ?? 0) : 0;
}
