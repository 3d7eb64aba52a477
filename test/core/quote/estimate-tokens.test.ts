import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { estimatePrompt, outputLimit } from '../../../core/quote/estimate-tokens.ts';

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const ENGLISH =
  'The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs, and do it before the sun goes down.';

const numbers = (): string =>
  Array.from({ length: 500 }, (_, i) => `${i * 7919},${(i * 31337) % 100000},2026-11-${(i % 28) + 1}`).join('\n');

describe('the tokens of a prompt', () => {
  // Counted with o200k_base, the tokenizer of OpenAI's models.
  it.each([
    ['English', ENGLISH, 29],
    ['a licence', readFileSync('LICENSE', 'utf8'), 2_261],
    ['code', 'export function add(a: number, b: number): number {\n  return a + b;\n}\n', 20],
    ['rows of numbers', numbers(), 6_865],
    ['German', 'Größere Änderungen müssen natürlich überprüft werden, bevor sie ausgeführt werden können.', 18],
    [
      'Russian',
      'Быстрая коричневая лиса перепрыгивает через ленивую собаку. В этом отчёте мы рассмотрим итоги прошлого квартала.',
      34,
    ],
    ['Arabic', 'الثعلب البني السريع يقفز فوق الكلب الكسول. هذا تقرير عن الربع الماضي.', 23],
    ['Hindi', 'तेज भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।', 20],
    ['Chinese', '敏捷的棕色狐狸跳过了懒狗。本报告介绍了上一季度的业绩。', 23],
    ['Japanese', '素早い茶色の狐がのろまな犬を飛び越える。この報告書では前四半期の業績を紹介します。', 34],
    ['Korean', '빠른 갈색 여우가 게으른 개를 뛰어넘는다. 이 보고서는 지난 분기의 실적을 소개합니다.', 29],
    ['emoji', '😀🎉🚀👍🏽👩‍👩‍👧‍👦🇩🇪❤️', 24],
  ])('of %s lie within the range', (_, text, tokens) => {
    const { low, high } = estimatePrompt('embeddings', { input: text }).tokens;
    expect(low).toBeLessThanOrEqual(tokens);
    expect(high).toBeGreaterThanOrEqual(tokens);
    expect(high).toBeLessThan(2.5 * tokens);
  });

  it('have the frame of each message on top', () => {
    const text = estimatePrompt('embeddings', { input: ENGLISH }).tokens.low;
    const chat = estimatePrompt('chat', user(ENGLISH)).tokens.low - text;
    expect(chat).toBeGreaterThanOrEqual(7);
    expect(chat).toBeLessThan(9);
    const parts = estimatePrompt('chat', user([{ type: 'text', text: ENGLISH }])).tokens.low - text;
    expect(parts).toBeLessThan(10);
    expect(estimatePrompt('responses', { input: ENGLISH }).tokens.low - text).toBe(3);
  });

  it('count tools and schemas, and instructions', () => {
    const plain = estimatePrompt('chat', user('Hello')).tokens.low;
    const tools = [{ type: 'function', function: { name: 'find', parameters: { type: 'object', properties: {} } } }];
    expect(estimatePrompt('chat', { ...user('Hello'), tools }).tokens.low).toBeGreaterThan(plain + 10);
    const { tokens } = estimatePrompt('responses', { input: 'Hello', instructions: ENGLISH });
    expect(tokens.low).toBeGreaterThan(20);
  });

  it('do not take the bytes of an image for text', () => {
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(100_000)}` } };
    const { tokens, attachments } = estimatePrompt('chat', user([{ type: 'text', text: 'What is it?' }, image]));
    expect(attachments).toBe(1);
    expect(tokens.low).toBeLessThan(120);
    expect(tokens.high).toBeLessThan(1_700);
  });

  it('are exact for an embedding that comes as tokens', () => {
    expect(estimatePrompt('embeddings', { input: [1, 2, 3] }).tokens).toEqual({ low: 3, high: 3 });
    expect(estimatePrompt('embeddings', { input: [[1, 2], [3]] }).tokens).toEqual({ low: 3, high: 3 });
    expect(estimatePrompt('embeddings', { input: ['a'.repeat(55), 'b'.repeat(55)] }).tokens.low).toBeCloseTo(20);
  });
});

describe('the limit of an answer', () => {
  it.each([
    [{ max_tokens: 10 }, 10],
    [{ max_completion_tokens: 20, n: 3 }, 60],
    [{ max_output_tokens: 30 }, 30],
    [{ max_tokens: 'many' }, null],
    [{ max_tokens: 0 }, null],
    [{ max_tokens: 1e308, n: 1e308 }, null],
    [{ max_tokens: 5, n: 1e308 }, 5],
    [{}, null],
  ])('of %j is %s', (body, limit) => {
    expect(outputLimit('chat', body)).toBe(limit);
  });

  it('is nothing for embeddings', () => {
    expect(outputLimit('embeddings', {})).toBe(0);
  });
});
