import { describe, expect, it } from 'vitest';
import { parseMagicWords } from './magic-words.ts';

describe('parseMagicWords', () => {
  it('finds nothing in a plain text, or in brackets that it does not know', () => {
    for (const text of ['hello', 'a [[1]] matrix', 'open [[', '[[unknown:3]]']) {
      expect(parseMagicWords(text)).toMatchObject({ delayMs: 0, failure: undefined, text: undefined, tools: [] });
    }
  });

  it.each([
    ['[[limit]]', { kind: 'limit' }],
    ['[[half]]', { kind: 'half' }],
    ['[[after-call:cut]]', { kind: 'after-call', end: 'cut' }],
    ['[[after-call:incomplete]]', { kind: 'after-call', end: 'incomplete' }],
    ['[[after-call:200]]', undefined],
    ['before [[status:429]] after', { kind: 'status', status: 429 }],
    ['[[status:500]] [[half]]', { kind: 'status', status: 500 }],
  ])('reads the failure of %s', (text, failure) => {
    expect(parseMagicWords(text).failure).toEqual(failure);
  });

  it('takes JSON arguments whole, brackets and all', () => {
    const words = parseMagicWords('[[tool:sum:{"rows":[[1],[2]]}]] and [[tool:now]] and [[json:[[1]]]]');
    expect(words.tools).toEqual([
      { name: 'sum', arguments: '{"rows":[[1],[2]]}' },
      { name: 'now', arguments: '{}' },
    ]);
    expect(words.text).toBe('[[1]]');
  });

  it('adds up words in one text', () => {
    const words = parseMagicWords(
      '[[delay:20]] [[after-call:30]] [[say:a: b]] [[reasoning]] [[cached:3]] [[retry-after:0.5]] [[length]]',
    );
    expect(words).toMatchObject({
      delayMs: 20,
      afterCallMs: 30,
      text: 'a: b',
      reasoningTokens: 64,
      cachedTokens: 3,
      retryAfterSeconds: 0.5,
      finishLength: true,
    });
  });

  it('makes a text of exactly the size, which depends on the seed alone', () => {
    const first = parseMagicWords('[[size:1000]] [[seed:1]]').text;
    expect(first).toHaveLength(1000);
    expect(parseMagicWords('[[seed:1]] [[size:1000]]').text).toBe(first);
    expect(parseMagicWords('[[seed:2]] [[size:1000]]').text).not.toBe(first);
  });

  it('lets a scripted failure win over the text', () => {
    expect(parseMagicWords('[[half]]', 'status:503').failure).toEqual({ kind: 'status', status: 503 });
    expect(parseMagicWords('hello', 'hang').failure).toEqual({ kind: 'hang' });
  });
});
