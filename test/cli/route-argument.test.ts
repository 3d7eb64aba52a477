import { describe, expect, it } from 'vitest';
import { formatRoute, parseRung } from '../../cli/route-argument.ts';

describe('an argument of a route', () => {
  it.each([
    ['home', [{ aliasOrId: 'home' }]],
    ['openai=gpt-5.5', [{ aliasOrId: 'openai', model: 'gpt-5.5' }]],
    ['local=llama3:8b', [{ aliasOrId: 'local', model: 'llama3:8b' }]],
    ['a=x=y', [{ aliasOrId: 'a', model: 'x=y' }]],
    ['home,work', [{ aliasOrId: 'home' }, { aliasOrId: 'work' }]],
    [
      'a:3,b:1=vendor/m:free',
      [
        { aliasOrId: 'a', weight: 3 },
        { aliasOrId: 'b', weight: 1, model: 'vendor/m:free' },
      ],
    ],
  ])('%s is read', (text, expected) => {
    expect(parseRung(text)).toEqual(expected);
  });

  it.each(['', 'a,', ',a', 'a:', 'a:0', 'a:-1', 'a:1.5', 'a:1001', 'a:2:3', 'a=', '=m', ':2'])(
    '%j is refused',
    (text) => {
      expect(() => parseRung(text)).toThrow(/no rung of a route/);
    },
  );
});

describe('a route', () => {
  it('is shown as it is typed', () => {
    const aliases = new Map([
      ['1', 'home'],
      ['2', 'work'],
      ['3', 'openai'],
    ]);
    const lanes = [
      { laneId: '1', model: 'm', rung: 1, weight: 3 },
      { laneId: '2', model: 'other', rung: 1, weight: 1 },
      { laneId: '3', model: 'm', rung: 2 },
      { laneId: '4' },
    ];
    expect(formatRoute('m', lanes, aliases)).toBe('home:3,work:1=other > openai > 4 (removed)');
  });
});
