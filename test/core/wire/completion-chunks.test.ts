import { describe, expect, it } from 'vitest';
import { createChunkAccumulator } from '../../../core/wire/accumulate-chunks.ts';
import { completionChunks } from '../../../core/wire/completion-chunks.ts';

const usage = {
  prompt_tokens: 3,
  completion_tokens: 2,
  total_tokens: 5,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
};
const completion = (message: object, finish_reason: string) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'm',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: null, refusal: null, ...message },
      logprobs: null,
      finish_reason,
    },
  ],
  usage,
});
const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } };
const chunksOf = (body: object, includeUsage: boolean): Record<string, unknown>[] =>
  completionChunks(JSON.stringify(body), includeUsage).map((text) => JSON.parse(text) as Record<string, unknown>);

describe('a stored completion as chunks', () => {
  it('has the same id, time and model on every chunk, the role first and one finish reason', () => {
    const chunks = chunksOf(completion({ content: 'hi' }, 'stop'), false);
    expect(chunks).toHaveLength(2);
    for (const chunk of chunks) {
      expect(chunk).toMatchObject({
        id: 'chatcmpl-1',
        object: 'chat.completion.chunk',
        created: 1_700_000_000,
        model: 'm',
      });
      expect(chunk).not.toHaveProperty('usage');
    }
    expect(chunks).toMatchObject([
      { choices: [{ delta: { role: 'assistant', content: 'hi' }, finish_reason: null }] },
      { choices: [{ delta: {}, finish_reason: 'stop' }] },
    ]);
  });

  it('keeps a refusal, and what a provider adds', () => {
    const [first] = chunksOf(completion({ refusal: 'I can’t', reasoning_content: 'hm' }, 'stop'), false);
    expect(first).toMatchObject({
      choices: [{ delta: { role: 'assistant', content: '', refusal: 'I can’t', reasoning_content: 'hm' } }],
    });
  });

  it('has null usage on each chunk and the usage on a last one without choices, when asked for', () => {
    const chunks = chunksOf(completion({ content: 'hi' }, 'stop'), true);
    expect(chunks.map((chunk) => chunk['usage'])).toEqual([null, null, usage]);
    expect(chunks[2]).toMatchObject({ choices: [] });
  });

  it.each([
    ['text', completion({ content: 'hi' }, 'stop')],
    ['tool calls', completion({ content: '', tool_calls: [call, { ...call, id: 'call_2' }] }, 'tool_calls')],
    [
      'several choices',
      {
        ...completion({ content: 'a' }, 'stop'),
        choices: [0, 1].map((index) => ({ ...completion({ content: `c${index}` }, 'length').choices[0], index })),
      },
    ],
  ])('becomes the same completion again: %s', (_, body) => {
    const accumulator = createChunkAccumulator();
    for (const chunk of chunksOf(body, true)) accumulator.add(chunk);
    expect(accumulator.isWhole()).toBe(true);
    expect(accumulator.completion()).toEqual(body);
  });
});
