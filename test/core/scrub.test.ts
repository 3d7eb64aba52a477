import { describe, expect, it } from 'vitest';
import { scrub } from '../../core/scrub.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';

describe('scrub', () => {
  it.each([
    { title: 'a provider key', text: 'key sk-proj-AbC_123-xyz789 is wrong', clean: 'key sk-[removed] is wrong' },
    { title: 'a sub-key', text: '"sk-fl-0123456789abcdef"', clean: '"sk-[removed]"' },
    { title: 'a bearer header', text: 'authorization: Bearer abcdef123456', clean: 'authorization: Bearer [removed]' },
    { title: 'a bearer header in lower case', text: 'bearer abcdef123456', clean: 'Bearer [removed]' },
    { title: 'a JSON Web Token', text: `token=${JWT};`, clean: 'token=[token removed];' },
    { title: 'two secrets in one text', text: 'sk-aaaaaaaaaa,sk-bbbbbbbbbb', clean: 'sk-[removed],sk-[removed]' },
  ])('removes $title', ({ text, clean }) => {
    expect(scrub(text)).toBe(clean);
  });

  it('removes a token from a bearer header', () => {
    expect(scrub(`Bearer ${JWT}`)).not.toContain('eyJ');
  });

  it.each(['', 'the task-queue lane.0a1b.v1', 'sk-1', 'risk-averse-people', 'batch_0123456789abcdef'])(
    'leaves %j as it is',
    (text) => {
      expect(scrub(text)).toBe(text);
    },
  );

  it('gives the same again when it is called again', () => {
    const text = 'sk-aaaaaaaaaa';
    expect([scrub(text), scrub(text)]).toEqual(['sk-[removed]', 'sk-[removed]']);
  });
});
