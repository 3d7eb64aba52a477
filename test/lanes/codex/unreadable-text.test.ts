import { afterAll, beforeAll, expect, it } from 'vitest';
import { says, signIn, startAccount, textOf, type SignedInAccount } from './signed-in-account.ts';

/** Half of a surrogate pair: valid in JSON and in JavaScript, and nothing that the CLI can read. */
const HALF = '\ud800';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount();
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());

const schema = (text: string): object => ({
  type: 'object',
  properties: { a: { type: 'string', description: text } },
  required: ['a'],
  additionalProperties: false,
});

it.each([
  ['a message', says(`a${HALF}b`), 'a\ufffdb'],
  [
    'the description of a function',
    { ...says('x'), tools: [{ type: 'function', function: { name: 'f', description: `d${HALF}` } }] },
    'd\ufffd',
  ],
  [
    "the schema of a function's parameters",
    { ...says('x'), tools: [{ type: 'function', function: { name: 'f', parameters: schema(`p${HALF}`) } }] },
    'p\ufffd',
  ],
  [
    'the schema of the answer',
    {
      ...says('x'),
      response_format: { type: 'json_schema', json_schema: { name: 'n', strict: true, schema: schema(`s${HALF}`) } },
    },
    's\ufffd',
  ],
])('half of a surrogate pair in %s reaches the model as U+FFFD, and ends no process', async (_, body, written) => {
  const pid = under.account.pid();
  expect(textOf(await under.complete(body))).not.toBeNull();
  expect(JSON.stringify(under.backend.attempts().at(-1))).toContain(written);
  expect(under.account.pid()).toBe(pid);
});
