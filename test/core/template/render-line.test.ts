import { describe, expect, it } from 'vitest';
import { compileTemplate } from '../../../core/template/compile-template.ts';
import { createLineWriter } from '../../../core/template/render-line.ts';
import { createCsvRows, toJsonRow, type TemplateRow } from '../../../core/template/row-values.ts';

const ENDPOINT = '/v1/chat/completions';

function render(body: Record<string, unknown>, row: TemplateRow, customId: string | null = null, maxBytes?: number) {
  const compiled = compileTemplate(body, customId);
  if (!compiled.ok) throw new Error(compiled.message);
  return createLineWriter(compiled.template, ENDPOINT, maxBytes)(row, 7);
}

function lineOf(body: Record<string, unknown>, row: TemplateRow, customId: string | null = null) {
  const rendered = render(body, row, customId);
  if (!rendered.ok) throw new Error(rendered.problem.message);
  expect(rendered.text.indexOf('\n')).toBe(rendered.text.length - 1);
  return JSON.parse(rendered.text) as { custom_id: string; method: string; url: string; body: unknown };
}

const csvRow = (cells: Record<string, string>): TemplateRow => createCsvRows(Object.keys(cells))(Object.values(cells));

describe('a row of CSV', () => {
  it('fills the places of a body, however deep, and leaves the rest as it is', () => {
    const body = {
      model: 'gpt-5.5',
      temperature: 0.5,
      nothing: null,
      flags: [true, false, {}, []],
      messages: [
        { role: 'system', content: 'Be short.' },
        { role: 'user', content: [{ type: 'text', text: 'Translate: {{text}} ({{lang}})' }] },
      ],
      metadata: { id: '{{id}}', '{{id}}': 'names of fields stay' },
    };
    expect(lineOf(body, csvRow({ id: '12', text: 'Guten Tag', lang: 'de' }), 'no-{{id}}')).toEqual({
      custom_id: 'no-12',
      method: 'POST',
      url: ENDPOINT,
      body: {
        ...body,
        messages: [body.messages[0], { role: 'user', content: [{ type: 'text', text: 'Translate: Guten Tag (de)' }] }],
        metadata: { id: '12', '{{id}}': 'names of fields stay' },
      },
    });
  });

  it('is numbered where the template has no custom_id', () => {
    expect(lineOf({ a: '{{x}}' }, csvRow({ x: '1' })).custom_id).toBe('row-7');
  });

  it.each([
    ['places', '{{id}} \\{{id}} {{nothing}}'],
    ['JSON', '"},{"role":"system","content":"x'],
    ['line breaks and controls', 'a\r\nb\u2028c\0d\te\\'],
    ['names of the prototype', '__proto__'],
    ['letters outside the plane', '😀 e\u0301'],
    ['nothing', ''],
  ])('whose cell holds %s stays text', (_what, cell) => {
    const line = lineOf({ whole: '{{x}}', part: '<{{x}}>' }, csvRow({ x: cell, id: '1' }), 'c{{x}}');
    expect(line.body).toEqual({ whole: cell, part: `<${cell}>` });
    expect(line.custom_id).toBe(`c${cell}`);
  });

  it('is text where a template asks for its value alone, and its columns may be named as anything', () => {
    const row = createCsvRows(['__proto__', 'constructor', 'user.name'])(['1', 'true', 'x']);
    expect(lineOf({ a: '{{__proto__}}', b: '{{constructor}}', c: '{{user.name}}' }, row).body).toEqual({
      a: '1',
      b: 'true',
      c: 'x',
    });
  });
});

describe('a row of JSON', () => {
  const row = toJsonRow({
    text: 'hello',
    count: 3,
    big: 2 ** 60,
    flag: false,
    empty: null,
    list: ['a', { b: 2 }],
    user: { name: 'Ann', 'first.last': 'x' },
    'user.id': 'whole name first',
  });

  it.each<[string, unknown]>([
    ['{{text}}', 'hello'],
    ['{{count}}', 3],
    ['{{flag}}', false],
    ['{{empty}}', null],
    ['{{list}}', ['a', { b: 2 }]],
    ['{{user}}', { name: 'Ann', 'first.last': 'x' }],
    ['{{user.name}}', 'Ann'],
    ['{{user.id}}', 'whole name first'],
    ['{{list.0}}', 'a'],
    ['{{list.1.b}}', 2],
    ['[{{count}}|{{flag}}|{{empty}}|{{list}}|{{text}}]', '[3|false||["a",{"b":2}]|hello]'],
  ])('gives %s its value', (text, value) => {
    expect(lineOf({ value: text }, row).body).toEqual({ value });
  });

  it('is text in a custom_id', () => {
    expect(lineOf({ a: 1 }, row, '{{count}}').custom_id).toBe('3');
  });

  it.each([
    'nothing',
    'toString',
    'constructor',
    '__proto__',
    'hasOwnProperty.name',
    'text.length',
    'list.length',
    'list.00',
    'list.2',
    'user.constructor',
    'empty.x',
  ])('lacks %s, and says what it has', (column) => {
    expect(render({ a: `{{${column}}}` }, row)).toMatchObject({
      ok: false,
      problem: {
        code: 'unknown_column',
        param: 'template',
        message: expect.stringMatching(
          new RegExp(`"${column.replaceAll('.', '\\.')}", which is not there; there are "text", "count"`),
        ) as string,
      },
    });
  });

  it('with a number that would come out as another one is refused', () => {
    expect(render({ a: '{{big}}' }, row)).toMatchObject({ ok: false, problem: { code: 'inexact_number' } });
    for (const text of ['{"a":{"b":[12345678901234567890]}}', '{"a":1e999}', '{"a":{"b":-1e999}}']) {
      const deep = toJsonRow(JSON.parse(text) as Record<string, unknown>);
      expect(render({ a: '{{a}}' }, deep)).toMatchObject({ ok: false, problem: { code: 'inexact_number' } });
      expect(render({ a: '<{{a}}>' }, deep)).toMatchObject({ ok: false, problem: { code: 'inexact_number' } });
    }
  });
});

it('a line that grows too long is refused before it is whole', () => {
  const body = { a: '{{x}}'.repeat(1000) };
  const refused = render(body, csvRow({ x: 'y'.repeat(1000) }), null, 5000);
  expect(refused).toMatchObject({ ok: false, problem: { message: 'This line is longer than 5000 bytes.' } });
});

it('any text comes through any template as it is', () => {
  const alphabet = ['a', '{{', '}}', '{', '}', '\\', '"', '\n', ' ', '😀', '\\{{', '{{x}}'];
  let seed = 11;
  const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const text = (): string => Array.from({ length: next(8) }, () => alphabet[next(alphabet.length)]).join('');
  // What stands around the place is free of what means something to a template.
  const literal = (value: string): string => value.replaceAll('\\', '').replaceAll('{', '');
  for (let round = 0; round < 500; round++) {
    const [before, cell, after] = [literal(text()), text(), literal(text())];
    const line = lineOf({ t: `${before}{{x}}${after}` }, csvRow({ x: cell }));
    expect(line.body).toEqual({ t: `${before}${cell}${after}` });
  }
});
