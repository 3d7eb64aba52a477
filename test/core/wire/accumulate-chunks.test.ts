import { describe, expect, it } from 'vitest';
import { createChunkAccumulator } from '../../../core/wire/accumulate-chunks.ts';
import type { JsonObject } from '../../../core/wire/json-object.ts';

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model: 'm-2026' };
const chunk = (delta: unknown, finishReason: string | null = null, index = 0): JsonObject => ({
  ...HEAD,
  choices: [{ index, delta, logprobs: null, finish_reason: finishReason }],
});

function accumulate(chunks: readonly JsonObject[]): JsonObject {
  const answer = createChunkAccumulator();
  for (const each of chunks) answer.add(each);
  return answer.completion();
}

function messageOf(chunks: readonly JsonObject[]): unknown {
  const [choice] = accumulate(chunks)['choices'] as JsonObject[];
  return choice?.['message'];
}

describe('createChunkAccumulator', () => {
  it('gathers text, head, end and usage into one completion', () => {
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
    const completion = accumulate([
      { ...chunk({ role: 'assistant', content: '' }), system_fingerprint: 'fp', usage: null, obfuscation: 'x' },
      chunk({ content: 'Hel' }),
      chunk({ content: 'lo' }),
      chunk({}, 'stop'),
      { ...HEAD, choices: [], usage },
    ]);
    expect(completion).toEqual({
      ...HEAD,
      object: 'chat.completion',
      system_fingerprint: 'fp',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage,
    });
  });

  it('gathers tool calls whose arguments come in pieces and out of order', () => {
    const call = (index: number, rest: JsonObject): JsonObject => ({ tool_calls: [{ index, ...rest }] });
    const message = messageOf([
      chunk(call(1, { id: 'b', type: 'function', function: { name: 'two', arguments: '' } })),
      chunk(call(0, { id: 'a', type: 'function', function: { name: 'one', arguments: '{"x"' } })),
      chunk(call(0, { function: { arguments: ':1}' } })),
      chunk(call(1, { function: { arguments: '{}' } })),
      chunk({}, 'tool_calls'),
    ]);
    expect(message).toEqual({
      role: 'assistant',
      content: null,
      refusal: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'one', arguments: '{"x":1}' } },
        { id: 'b', type: 'function', function: { name: 'two', arguments: '{}' } },
      ],
    });
  });

  it('tells tool calls without an index apart by their ids', () => {
    const message = messageOf([
      chunk({ tool_calls: [{ id: 'a', function: { name: 'one', arguments: '{' } }] }),
      chunk({ tool_calls: [{ function: { arguments: '}' } }] }),
      chunk({ tool_calls: [{ id: 'b', function: { name: 'two', arguments: '{}' } }] }),
    ]);
    expect(message).toMatchObject({
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'one', arguments: '{}' } },
        { id: 'b', type: 'function', function: { name: 'two', arguments: '{}' } },
      ],
    });
  });

  it('gathers a refusal, reasoning, an old function call and fields that it does not know', () => {
    const message = messageOf([
      chunk({ refusal: 'I ca', reasoning_content: 'hm' }),
      chunk({ refusal: 'n’t', reasoning_content: 'm', function_call: { name: 'f', arguments: '{' } }),
      chunk({ function_call: { arguments: '}' }, annotations: [{ type: 'url_citation' }] }),
    ]);
    expect(message).toEqual({
      role: 'assistant',
      content: null,
      refusal: 'I can’t',
      reasoning_content: 'hmm',
      function_call: { name: 'f', arguments: '{}' },
      annotations: [{ type: 'url_citation' }],
    });
  });

  it('keeps several choices apart and joins their logprobs', () => {
    const withLogprobs = (token: string): JsonObject => ({
      ...HEAD,
      choices: [{ index: 0, delta: { content: token }, logprobs: { content: [{ token }] }, finish_reason: null }],
    });
    const { choices } = accumulate([chunk({ content: 'B' }, 'stop', 1), withLogprobs('A'), withLogprobs('a')]);
    expect(choices).toMatchObject([
      { index: 0, message: { content: 'Aa' }, logprobs: { content: [{ token: 'A' }, { token: 'a' }] } },
      { index: 1, message: { content: 'B' }, logprobs: null, finish_reason: 'stop' },
    ]);
  });

  it('is whole only when every choice has its end', () => {
    const answer = createChunkAccumulator();
    expect(answer.isWhole()).toBe(false);
    answer.add(chunk({ content: 'a' }, 'stop', 0));
    answer.add(chunk({ content: 'b' }, null, 1));
    expect(answer.isWhole()).toBe(false);
    answer.add(chunk({}, 'length', 1));
    expect(answer.isWhole()).toBe(true);
  });

  it('knows no usage where none came', () => {
    const answer = createChunkAccumulator();
    answer.add(chunk({ content: 'a' }, 'stop'));
    expect(answer.usage()).toBeNull();
    expect(answer.completion()['usage']).toBeNull();
  });

  it('does not let a provider reach the prototype', () => {
    const hostile = JSON.parse(
      '{"id":"x","__proto__":{"polluted":1},"choices":[{"delta":{"__proto__":{"polluted":1}}}]}',
    );
    accumulate([hostile as JsonObject]);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
  });
});
