import { describe, expect, it } from 'vitest';
import { readUsage } from '../../../core/wire/usage.ts';

describe('readUsage', () => {
  it('reads tokens with their details', () => {
    const usage = {
      prompt_tokens: 20,
      completion_tokens: 10,
      total_tokens: 30,
      prompt_tokens_details: { cached_tokens: 8, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 4 },
    };
    expect(readUsage(usage)).toEqual({
      promptTokens: 20,
      cachedPromptTokens: 8,
      completionTokens: 10,
      reasoningTokens: 4,
    });
  });

  it('takes details that are not there as none', () => {
    expect(readUsage({ prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: null })).toEqual({
      promptTokens: 3,
      cachedPromptTokens: 0,
      completionTokens: 2,
      reasoningTokens: 0,
    });
  });

  it('never has more cached or reasoning tokens than there are tokens', () => {
    const usage = {
      prompt_tokens: 3,
      completion_tokens: 2,
      prompt_tokens_details: { cached_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 5 },
    };
    expect(readUsage(usage)).toMatchObject({ cachedPromptTokens: 3, reasoningTokens: 2 });
  });

  it('reads what a response calls input and output', () => {
    const usage = {
      input_tokens: 20,
      input_tokens_details: { cached_tokens: 8 },
      output_tokens: 10,
      output_tokens_details: { reasoning_tokens: 4 },
      total_tokens: 30,
    };
    expect(readUsage(usage)).toEqual({
      promptTokens: 20,
      cachedPromptTokens: 8,
      completionTokens: 10,
      reasoningTokens: 4,
    });
  });

  it('takes embeddings as without output only where the total says so', () => {
    expect(readUsage({ prompt_tokens: 3, total_tokens: 3 })).toMatchObject({ promptTokens: 3, completionTokens: 0 });
    expect(readUsage({ prompt_tokens: 3, total_tokens: 5 })).toBeNull();
  });

  it.each([
    null,
    undefined,
    'many',
    [],
    {},
    { prompt_tokens: 1 },
    { prompt_tokens: '1', completion_tokens: 2 },
    { prompt_tokens: -1, completion_tokens: 2 },
    { prompt_tokens: 1.5, completion_tokens: 2 },
  ])('does not know the usage from %j', (usage) => {
    expect(readUsage(usage)).toBeNull();
  });
});
