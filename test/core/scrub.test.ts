import { describe, expect, it } from 'vitest';
import { scrub } from '../../core/scrub.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
const RANDOM = 'Zk3_mQ9wLr-7bXtC2vYp8sDh';

describe('scrub', () => {
  it.each([
    { title: 'a provider key', text: 'key sk-proj-AbC_123-xyz789 is wrong', clean: 'key sk-[removed] is wrong' },
    { title: 'a sub-key', text: '"sk-fl-0123456789abcdef"', clean: '"sk-[removed]"' },
    { title: 'a signing secret', text: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', clean: 'whsec_[removed]' },
    { title: 'a bearer header', text: 'authorization: Bearer abcdef123456', clean: 'authorization: Bearer [removed]' },
    { title: 'a bearer header in lower case', text: 'bearer abcdef123456', clean: 'Bearer [removed]' },
    { title: 'a JSON Web Token', text: `token=${JWT};`, clean: 'token=[token removed];' },
    { title: 'an encrypted token of five parts', text: `(${JWT}.abc.def)`, clean: '([token removed])' },
    { title: 'a token that was cut off', text: `${JWT.slice(0, 50)}…`, clean: '[token removed]…' },
    { title: 'a token that was cut in its first part', text: `eyJ${'a1'.repeat(20)}`, clean: '[token removed]' },
    {
      title: 'a personal access token',
      text: `CODEX_ACCESS_TOKEN=at-${RANDOM}`,
      clean: 'CODEX_ACCESS_TOKEN=at-[removed]',
    },
    { title: 'a personal access token in quotes', text: `"at-${RANDOM}"`, clean: '"at-[removed]"' },
    { title: 'a refresh token with a dot', text: `used rt.home.${RANDOM} twice`, clean: 'used rt-[removed] twice' },
    { title: 'a refresh token with a line', text: `rt_${RANDOM}.${RANDOM}`, clean: 'rt-[removed]' },
    { title: 'a token under its name', text: '{"refresh_token": "x"}', clean: '{"refresh_token": "[removed]"}' },
    {
      title: 'a token in JSON within JSON',
      text: String.raw`{\"id_token\":\"x.y\"}`,
      clean: String.raw`{\"id_token\":\"[removed]\"}`,
    },
    {
      title: 'a token in a form',
      text: 'grant=refresh&refresh_token=x%20y&z=1',
      clean: 'grant=refresh&refresh_token=[removed]&z=1',
    },
    { title: 'two secrets in one text', text: 'sk-aaaaaaaaaa,sk-bbbbbbbbbb', clean: 'sk-[removed],sk-[removed]' },
  ])('removes $title', ({ text, clean }) => {
    expect(scrub(text)).toBe(clean);
  });

  it('removes a token from a bearer header', () => {
    expect(scrub(`Bearer ${JWT}`)).not.toContain('eyJ');
    expect(scrub(`Bearer at-${RANDOM}`)).not.toContain(RANDOM);
  });

  it.each([
    '',
    'the task-queue lane.0a1b.v1',
    'sk-1',
    'risk-averse-people',
    'batch_0123456789abcdef',
    'at-least-one-of-the-functions-must-be-called',
    'look-at-0123456789abcdef0123456789',
    'at-home',
    'rt.html',
    'start_0123456789abcdef0123456789',
    'refresh_token_reused',
    'eyJ',
  ])('leaves %j as it is', (text) => {
    expect(scrub(text)).toBe(text);
  });

  it('gives the same again when it is called again', () => {
    const text = 'sk-aaaaaaaaaa';
    expect([scrub(text), scrub(text)]).toEqual(['sk-[removed]', 'sk-[removed]']);
  });
});
