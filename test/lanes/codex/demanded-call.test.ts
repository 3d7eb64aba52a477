import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, collector, says, signIn, startAccount, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount();
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());
beforeEach(() => under.backend.reset());

const tool = (name: string) => ({ type: 'function', function: { name, parameters: { type: 'object' } } });
const tools = [tool('get_weather'), tool('get_time')];
const named = { type: 'function', function: { name: 'get_time' } };

describe('a function call that tool_choice demands', () => {
  it.each(['auto', 'none', 'required', named])(
    'goes upstream as auto, whatever is demanded (%j): the CLI knows no other',
    async (tool_choice) => {
      await under.complete({ ...says('[[tool:get_time]]'), tools, tool_choice });
      expect(under.backend.attempts()[0]).toMatchObject({ toolChoice: 'auto' });
    },
  );

  it('is asked for in words, of the named function alone', async () => {
    const outcome = await under.complete({ ...says('when? [[tool:get_time]]'), tools, tool_choice: named });
    expect(answerOf(outcome).choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'get_time', arguments: '{}' } }] },
    });
    expect(outcome).toMatchObject({ ok: true, ignoredParams: [] });
    const [attempt] = under.backend.attempts();
    expect(JSON.stringify(attempt?.tools)).not.toContain('get_weather');
    expect(JSON.stringify(attempt?.input)).toContain('Answer by calling the function `get_time`');
  });

  it('that does not come fails the attempt without a chunk, and harms no lane', async () => {
    const { chunks, call } = collector();
    const outcome = await under.complete({ ...says('just talk'), tools, tool_choice: 'required' }, call);
    expect(outcome).toMatchObject({
      ok: false,
      failure: { class: 'unsupported', param: 'tool_choice', answerStarted: false, reachedUpstream: true },
    });
    expect(chunks).toEqual([]);
    expect(await under.complete(says('next'))).toMatchObject({ ok: true });
  });

  it('streams once it is there', async () => {
    const { chunks, call } = collector();
    await under.complete({ ...says('[[tool:get_time]]'), tools, tool_choice: 'required' }, call);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls');
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])).toHaveLength(2);
  });

  it('is demanded of a response likewise', async () => {
    const call = { operation: 'responses' as const };
    const body = { input: 'x', tools: [{ type: 'function', name: 'get_time' }], tool_choice: 'required' };
    expect(await under.complete({ ...body, messages: undefined }, call)).toMatchObject({
      failure: { class: 'unsupported', param: 'tool_choice' },
    });
    expect(await under.complete({ ...body, input: '[[tool:get_time]]' }, call)).toMatchObject({ ok: true });
  });
});
