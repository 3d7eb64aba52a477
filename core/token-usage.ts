import type { TokenUsage } from './lane-port.ts';

export const NO_USAGE: TokenUsage = { promptTokens: 0, cachedPromptTokens: 0, completionTokens: 0, reasoningTokens: 0 };

/** Tokens added up; an unknown usage adds nothing. */
export function addUsage(sum: TokenUsage, usage: TokenUsage | null): TokenUsage {
  if (usage === null) return sum;
  return {
    promptTokens: sum.promptTokens + usage.promptTokens,
    cachedPromptTokens: sum.cachedPromptTokens + usage.cachedPromptTokens,
    completionTokens: sum.completionTokens + usage.completionTokens,
    reasoningTokens: sum.reasoningTokens + usage.reasoningTokens,
  };
}
