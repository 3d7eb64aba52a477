import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { answerOf, collector, says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount();
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());
beforeEach(() => under.backend.reset());

const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
const calls = '[[tool:f:{"a":1}]] [[tool:f:{"a":2}]]';
const argumentsOf = (outcome: Parameters<typeof answerOf>[0]) =>
  answerOf(outcome).choices[0]?.message.tool_calls?.map((call) => call.function.arguments);

describe.each(['websocket', 'sse'] as const)('a stream of function calls over %s', (transport) => {
  beforeEach(() => under.backend.script('main', { transport, failNext: [] }));

  // Without its log the CLI says nothing until it has the result of the call, and the attempt ends at its deadline.
  it.each(['cut', 'incomplete'])(
    'that ends (%s) after the first call is broken, and the model is not asked again',
    async (end) => {
      const outcome = await under.complete({ ...says(`${calls} [[after-call:${end}]]`), tools });
      expect(outcome).toMatchObject({
        ok: false,
        failure: {
          class: 'broken',
          reason: 'the connection to the upstream broke',
          answerStarted: false,
          reachedUpstream: true,
        },
      });
      expect(textOf(await under.complete(says('and now')))).toBe('echo: and now');
      expect(under.backend.attempts()).toHaveLength(2);
    },
  );

  it('that breaks after text and a call says that the answer had started', async () => {
    const { chunks, call } = collector();
    const outcome = await under.complete({ ...says(`[[say:one moment]] ${calls} [[after-call:cut]]`), tools }, call);
    expect(outcome).toMatchObject({ ok: false, failure: { class: 'broken', answerStarted: true } });
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('one moment');
    expect(chunks.every((chunk) => chunk.choices[0]?.finish_reason === null)).toBe(true);
  });

  it('that is silent for long between its calls, and after them, is waited for', async () => {
    const outcome = await under.complete({ ...says(`${calls} [[after-call:2000]]`), tools });
    expect(argumentsOf(outcome)).toEqual(['{"a":1}', '{"a":2}']);
    expect(under.backend.attempts()).toHaveLength(1);
  });
});

describe('a stream that breaks before its function calls', () => {
  it('leaves the calls that the CLI gets when it asks again by itself', async () => {
    under.backend.script('main', { transport: 'websocket', failNext: ['half'] });
    const outcome = await under.complete({ ...says(calls), tools });
    expect(argumentsOf(outcome)).toEqual(['{"a":1}', '{"a":2}']);
    expect(under.backend.attempts()).toHaveLength(2);
  });
});
