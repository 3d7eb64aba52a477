import { describe, expect, it } from 'vitest';
import { wellFormedJson } from '../../../lanes/codex/well-formed-json.ts';

describe('wellFormedJson', () => {
  it.each([
    ['half of a pair', 'a\ud800b', 'a\ufffdb'],
    ['the other half', 'a\udfffb', 'a\ufffdb'],
    ['halves in the wrong order', '\udc00\ud800', '\ufffd\ufffd'],
    ['half of a pair before a whole one', '\ud83d😀', '\ufffd😀'],
    ['a backslash before what looks like an escape', String.raw`\ud800 and \\ud800`, String.raw`\ud800 and \\ud800`],
    ['a backslash before half of a pair', '\\\ud800', '\\\ufffd'],
    ['other escapes', '"\n\u0000\u001f/\u2028', '"\n\u0000\u001f/\u2028'],
  ])('keeps the meaning of %s', (_, text, read) => {
    const json = wellFormedJson({ deep: [text], [text]: 1 });
    expect(json).not.toMatch(/(?<!\\)(\\\\)*\\ud[89a-f]/);
    expect(JSON.parse(json)).toEqual({ deep: [read], [read]: 1 });
  });

  it('writes all that is well-formed as JSON.stringify does', () => {
    const value = { text: 'grün 😀', numbers: [1, -0.5, null], nested: { left: undefined, on: true } };
    expect(wellFormedJson(value)).toBe(JSON.stringify(value));
  });
});
