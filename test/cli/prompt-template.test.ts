import { describe, expect, it } from 'vitest';
import { promptTemplate } from '../../cli/prompt-template.ts';

describe('a prompt on the command line', () => {
  it.each([
    ['/v1/chat/completions', { model: 'm', messages: [{ role: 'user', content: 'Translate: {{text}}' }] }],
    ['/v1/responses', { model: 'm', input: 'Translate: {{text}}' }],
    ['/v1/embeddings', { model: 'm', input: 'Translate: {{text}}' }],
  ])('becomes a template for %s', (endpoint, body) => {
    expect(promptTemplate({ endpoint, model: 'm', prompt: 'Translate: {{text}}' })).toEqual({ body });
  });

  it('is none without the options', () => {
    expect(promptTemplate({ endpoint: '/v1/responses' })).toBeUndefined();
  });

  it.each([
    [{ endpoint: '/v1/responses', model: 'm' }, /belong together/],
    [{ endpoint: '/v1/responses', prompt: 'x' }, /belong together/],
    [{ endpoint: '/v1/other', model: 'm', prompt: 'x' }, /use --template/],
  ])('is refused as %j', (options, message) => {
    expect(() => promptTemplate(options)).toThrow(message);
  });
});
