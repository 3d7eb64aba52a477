import type { TokenUsage } from '../lane-port.ts';
import { isJsonObject } from './json-object.ts';

/**
 * Reads the `usage` of a chat completion or of a stream's last chunk.
 * @returns null where prompt or completion tokens are missing or no counts: unknown stays unknown. Details that a provider
 * leaves out are 0, for then it knows no cache and no reasoning.
 */
export function readUsage(usage: unknown): TokenUsage | null {
  if (!isJsonObject(usage)) return null;
  const promptTokens = readCount(usage['prompt_tokens']);
  const completionTokens = readCount(usage['completion_tokens']);
  if (promptTokens === null || completionTokens === null) return null;
  return {
    promptTokens,
    cachedPromptTokens: Math.min(promptTokens, readDetail(usage['prompt_tokens_details'], 'cached_tokens')),
    completionTokens,
    reasoningTokens: Math.min(completionTokens, readDetail(usage['completion_tokens_details'], 'reasoning_tokens')),
  };
}

function readCount(value: unknown): number | null {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;
}

function readDetail(details: unknown, name: string): number {
  return isJsonObject(details) ? (readCount(details[name]) ?? 0) : 0;
}
