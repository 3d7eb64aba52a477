import { describe, expect, it } from 'vitest';
import { parseTemplateText, type TextPiece } from '../../../core/template/template-text.ts';

const at = (column: string): TextPiece => ({ column });

describe("a template's text", () => {
  it.each<[string, TextPiece[]]>([
    ['', []],
    ['no places', ['no places']],
    ['{{a}}', [at('a')]],
    ['{{ a }}', [at('a')]],
    ['x{{a}}y{{b}}', ['x', at('a'), 'y', at('b')]],
    ['{{a}}{{a}}', [at('a'), at('a')]],
    ['{{first name}} {{user.name}} {{Größe (cm)}}', [at('first name'), ' ', at('user.name'), ' ', at('Größe (cm)')]],
    ['{"x":{"y":1}}', ['{"x":{"y":1}}']],
    ['{"x":{{a}}}', ['{"x":', at('a'), '}']],
    ['{{{a}}}', ['{', at('a'), '}']],
    ['a } b }} c { d', ['a } b }} c { d']],
    ['\\{{a}}', ['{{a}}']],
    ['\\{{ {{a}} }}', ['{{ ', at('a'), ' }}']],
    ['\\\\{{a}}', ['\\', at('a')]],
    ['C:\\new \\n \\\\ {{a}}', ['C:\\new \\n \\\\ ', at('a')]],
    ['{{__proto__}}', [at('__proto__')]],
  ])('%s', (text, pieces) => {
    expect(parseTemplateText(text)).toEqual({ ok: true, pieces });
  });

  it.each([
    ['{{a', /"\{\{a" is not closed/],
    ['{{a}', /is not closed/],
    ['{{a{b}}', /is not closed/],
    ['x {{}} y', /"\{\{\}\}" names no column/],
    ['{{  }}', /names no column/],
    ['{{', /is not closed/],
  ])('is refused when it is %s', (text, message) => {
    expect(parseTemplateText(text)).toEqual({ ok: false, message: expect.stringMatching(message) as string });
  });
});
