import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../core/errors.ts';
import { compileStoredTemplate, readBatchTemplate } from '../../../core/wire/batch-template.ts';

const body = { model: 'm', messages: [{ role: 'user', content: 'Translate: {{text}}' }] };

describe('the template of a batch', () => {
  it.each([undefined, null])('is none when it is %s', (value) => {
    expect(readBatchTemplate(value)).toBeNull();
  });

  it('is kept as text, from which it is compiled again', () => {
    const template = readBatchTemplate({ body, custom_id: '{{id}}', delimiter: ';' });
    expect(template).toEqual({ text: JSON.stringify({ body, custom_id: '{{id}}' }), delimiter: ';' });
    expect(compileStoredTemplate(template?.text ?? '').columns).toEqual(['text', 'id']);
  });

  it.each([',', ';', '\t', '|', ':', '^', '~', ' '])('may name the delimiter "%s"', (delimiter) => {
    expect(readBatchTemplate({ body, delimiter })?.delimiter).toBe(delimiter);
  });

  it.each<[unknown, string, string]>([
    ['text', 'invalid_type', 'template'],
    [[], 'invalid_type', 'template'],
    [{}, 'missing_required_parameter', 'template.body'],
    [{ body: 'x' }, 'invalid_type', 'template.body'],
    [{ body, custom_id: 5 }, 'invalid_type', 'template.custom_id'],
    [{ body, customId: 'x' }, 'unsupported_parameter', 'template.customId'],
    [{ body, custom_id: '{{' }, 'invalid_value', 'template.custom_id'],
    [{ body, custom_id: '' }, 'invalid_value', 'template.custom_id'],
    [{ body: { a: { b: ['x', '{{}}'] } } }, 'invalid_value', 'template.body.a.b[1]'],
    [{ body: { a: 'x'.repeat(300_000) } }, 'invalid_value', 'template'],
    ...['', ',,', '"', '\n', 'x', '5', 'é', '\0'].map((delimiter): [unknown, string, string] => [
      { body, delimiter },
      'invalid_value',
      'template.delimiter',
    ]),
  ])('%j is refused as %s', (value, errorName, param) => {
    let thrown: unknown;
    try {
      readBatchTemplate(value);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ApiError);
    expect(thrown).toMatchObject({ errorName, param });
  });
});
