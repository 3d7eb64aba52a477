import { describe, expect, it } from 'vitest';
import { parseMagicWords } from './magic-words.ts';
import { planAnswer, type ReadPrompt } from './planned-answer.ts';

function plan(lastUserText: string, more: Partial<ReadPrompt> = {}) {
  const prompt = { lastUserText, toolOutputs: [], promptCharacters: lastUserText.length, schema: undefined, ...more };
  return planAnswer(prompt, parseMagicWords(lastUserText));
}

describe('planAnswer', () => {
  it('echoes, and counts four characters as a token', () => {
    expect(plan('12345')).toMatchObject({
      text: 'echo: 12345',
      finishReason: 'stop',
      usage: { inputTokens: 2, outputTokens: 3, reasoningTokens: 0, cachedTokens: 0 },
    });
  });

  it('cuts the text into several whole deltas', () => {
    const answer = plan('[[say:🙂🙂🙂 and 🙂🙂]]');
    expect(answer.deltas.length).toBeGreaterThan(1);
    expect(answer.deltas.join('')).toBe('🙂🙂🙂 and 🙂🙂');
    for (const delta of answer.deltas) expect(delta).toBe(Buffer.from(delta).toString());
  });

  it('says ticks one delta each', () => {
    expect(plan('[[ticks:3:20]]')).toMatchObject({ text: '1 2 3 ', deltas: ['1 ', '2 ', '3 '], gapMs: 20 });
  });

  it('calls functions once, and then says what they answered', () => {
    expect(plan('[[tool:now]]')).toMatchObject({ text: '', tools: [{ name: 'now' }], finishReason: 'tool_calls' });
    expect(plan('[[say:a moment]] [[tool:now]]')).toMatchObject({ text: 'a moment', finishReason: 'tool_calls' });
    expect(plan('[[tool:now]]', { toolOutputs: ['noon', 'east'] })).toMatchObject({
      text: 'tool: noon, east',
      tools: [],
      finishReason: 'stop',
    });
  });

  it('keeps to a schema where one is asked for', () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string' },
        kind: { enum: ['a', 'b'] },
        counts: { type: 'array', items: { type: 'integer' } },
        maybe: { anyOf: [{ type: 'null' }, { type: 'string' }] },
        done: { type: ['boolean', 'null'] },
      },
    };
    expect(JSON.parse(plan('hi', { schema }).text)).toEqual({
      name: 'echo: hi',
      kind: 'a',
      counts: [1],
      maybe: null,
      done: true,
    });
    expect(JSON.parse(plan('hi', { schema: true }).text)).toEqual({ echo: 'echo: hi' });
  });
});
