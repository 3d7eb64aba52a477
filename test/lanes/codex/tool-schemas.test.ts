import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_SCHEMA_BYTES } from '../../../lanes/codex/translate-tool-schema.ts';
import { CHANGED, objectWith, schemaOf, WHOLE } from './schemas.ts';
import { says, signIn, startAccount, type SignedInAccount } from './signed-in-account.ts';

let under: SignedInAccount;

beforeAll(async () => {
  under = await startAccount();
  await under.account.start();
  await signIn(under);
});
afterAll(() => under.close());
beforeEach(() => under.backend.reset());

interface SeenTool {
  readonly description: string;
  readonly parameters: unknown;
}

const functionsOf = (schemas: readonly unknown[]) =>
  schemas.map((parameters, index) => ({ name: `f${index}`, description: `does ${index}`, parameters }));

/** Offers functions with these schemas, and reads how the model is told of them. */
async function offer(schemas: readonly unknown[], model = 'gpt-5.5') {
  const tools = functionsOf(schemas).map((named) => ({ type: 'function', function: named }));
  const outcome = await under.complete({ ...says('x'), tools }, { model });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome));
  return { seen: toolsSeen(), ignoredParams: outcome.ignoredParams };
}

/** Models of the lite kind get their functions as an item of the input. */
function toolsSeen(): readonly SeenTool[] {
  const [attempt] = under.backend.attempts();
  const tools = attempt?.tools as readonly SeenTool[] | undefined;
  if (tools !== undefined && tools.length > 0) return tools;
  const items = attempt?.input as readonly { readonly tools?: readonly { readonly tools: readonly SeenTool[] }[] }[];
  const item = items.at(0);
  return item?.tools?.[0]?.tools ?? [];
}

const inWords = (index: number, schema: unknown): string =>
  `does ${index}\n\nThe arguments must match this JSON schema:\n${JSON.stringify(schema)}`;

describe('the schema of a function on a plan lane', () => {
  it.each(['gpt-5.5', 'gpt-6-astra'])('reaches %s as it is where the CLI leaves it so', async (model) => {
    const { seen, ignoredParams } = await offer(WHOLE, model);
    expect(seen.map(({ parameters }) => parameters)).toEqual(WHOLE);
    expect(seen.map(({ description }) => description)).toEqual(WHOLE.map((_, index) => `does ${index}`));
    expect(ignoredParams).toEqual([]);
  });

  it.each(['gpt-5.5', 'gpt-6-astra'])(
    'reaches %s in words where the CLI changes it, and is reported',
    async (model) => {
      const { seen, ignoredParams } = await offer(CHANGED, model);
      expect(seen.map(({ description }) => description)).toEqual(
        CHANGED.map((schema, index) => inWords(index, schema)),
      );
      for (const [index, { parameters }] of seen.entries()) expect(parameters).not.toEqual(CHANGED[index]);
      expect(ignoredParams).toEqual(['tools.function.parameters']);
    },
  );

  it('has the types that the caller means, beside the words', async () => {
    const { seen } = await offer(
      [{ const: 5 }, { enum: [1, 'a', null] }, { type: 'array' }, true, { type: 'array', items: [true] }].map(
        objectWith,
      ),
    );
    expect(seen.map(({ parameters }) => parameters)).toEqual(
      [
        { type: 'integer', enum: [5] },
        { type: ['integer', 'string', 'null'], enum: [1, 'a', null] },
        { type: 'array', items: {} },
        {},
        { type: 'array', items: {} },
      ].map(objectWith),
    );
  });

  it('keeps its descriptions and definitions up to the size above which it is said in words', async () => {
    const largest = schemaOf(MAX_SCHEMA_BYTES);
    const larger = schemaOf(MAX_SCHEMA_BYTES + 1);
    const { seen, ignoredParams } = await offer([largest, larger]);
    expect(seen[0]).toMatchObject({ description: 'does 0', parameters: largest });
    expect(seen[1]).toMatchObject({ description: inWords(1, larger) });
    expect(ignoredParams).toEqual(['tools.function.parameters']);
  });

  it('stays in words when the CLI drops half of it', async () => {
    const huge = schemaOf(200_000);
    const { seen } = await offer([huge]);
    expect(seen[0]?.description).toBe(inWords(0, huge));
    expect(JSON.stringify(seen[0]?.parameters).length).toBeLessThan(5_000);
  });

  it('is said in words for a response as well', async () => {
    const schema = objectWith({ const: 5 });
    const tools = functionsOf([schema]).map((named) => ({ type: 'function', ...named }));
    const body = { messages: undefined, input: 'x', tools };
    const outcome = await under.complete(body, { operation: 'responses' });
    expect(outcome).toMatchObject({ ok: true, ignoredParams: ['tools.parameters'] });
    expect(toolsSeen()[0]?.description).toBe(inWords(0, schema));
  });
});

describe('parallel_tool_calls on a plan lane', () => {
  it.each([
    ['gpt-5.5', true, []],
    ['gpt-6-astra', false, ['parallel_tool_calls']],
  ])('is told to %s as %s, whatever was asked', async (model, told, ignoredParams) => {
    const tools = [{ type: 'function', function: { name: 'f' } }];
    const outcome = await under.complete({ ...says('x'), model, tools, parallel_tool_calls: true }, { model });
    expect(outcome).toMatchObject({ ok: true, ignoredParams });
    expect(under.backend.attempts()[0]).toMatchObject({ parallelToolCalls: told });
  });
});
