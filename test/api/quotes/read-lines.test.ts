import { describe, expect, it } from 'vitest';
import { readLines, type NumberedLine } from '../../../api/quotes/read-lines.ts';

async function* source(text: string) {
  yield Buffer.from(text);
}

async function read(csv: string, maxMadeBytes: number): Promise<NumberedLine[]> {
  const body = { model: 'm', messages: [{ role: 'user', content: '{{text}}'.repeat(100) }] };
  const template = { text: JSON.stringify({ body, custom_id: null }), delimiter: null };
  const options = { endpoint: '/v1/chat/completions', filename: 'x.csv', template, maxMadeBytes };
  const lines: NumberedLine[] = [];
  for await (const line of readLines(source(csv), options)) lines.push(line);
  return lines;
}

describe('the lines of a quote', () => {
  it('end where a template makes more of the rows than a batch takes', async () => {
    const csv = `text\n${'xxxxxxxxxx\n'.repeat(1_000)}`;
    const lines = await read(csv, 100_000);
    expect(lines.length).toBeLessThan(100);
    expect(lines.at(-1)).toMatchObject({ number: null, checked: { ok: false, problem: { param: 'template' } } });
    expect(await read(csv, 10_000_000)).toHaveLength(1_000);
  });

  it('let others have their turn while a template makes much of little', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await read(`text\n${`${'x'.repeat(10_000)}\n`.repeat(20)}`, Number.POSITIVE_INFINITY);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});
