import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Canary } from './self-test-attacks.ts';
import type { ResponseItem } from './translate-messages.ts';
import type { DynamicTool } from './translate-tools.ts';

/** The parts of a model call that prompts and tools can be in. */
const requestSchema = z.looseObject({
  instructions: z.string().nullish(),
  input: z.array(z.looseObject({ type: z.string() })),
  tools: z.array(z.unknown()).nullish(),
});

const toolSchema = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  tools: z.array(z.unknown()).optional(),
});

const KNOWN_FIELDS = new Set([
  'model',
  'stream',
  'input',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning',
  'store',
  'include',
  'prompt_cache_key',
  'text',
  'client_metadata',
]);

/** What a model call holds beyond what was given to it, in our own words; undefined where it is exactly that. */
export function differenceFromExpected(
  body: Readonly<Record<string, unknown>>,
  expected: { readonly items: readonly ResponseItem[]; readonly tools: readonly DynamicTool[] },
): string | undefined {
  const request = requestSchema.parse(body);
  if ((request.instructions ?? '') !== '') return 'instructions were added';
  const unknown = Object.keys(body).find((field) => !KNOWN_FIELDS.has(field) && field !== 'instructions');
  if (unknown !== undefined) return `the model call has an unknown field: ${unknown}`;
  const toolItems = request.input.filter((item) => item.type === 'additional_tools');
  const tools = [...(request.tools ?? []), ...toolItems.flatMap((item) => z.array(z.unknown()).parse(item['tools']))];
  const advertised = tools.flatMap(toolNames).sort();
  const given = expected.tools.map((tool) => tool.name).sort();
  if (!isDeepStrictEqual(advertised, given))
    return `other tools are advertised than were given: ${advertised.join(', ')}`;
  const messages = request.input.filter((item) => item.type !== 'additional_tools').map(withoutIds);
  return isDeepStrictEqual(messages, expected.items.map(withoutIds)) ? undefined : 'the input is not what was given';
}

/** Names of a tool, through namespaces; a tool without a name counts by its type. */
function toolNames(tool: unknown): string[] {
  const { type, name, tools } = toolSchema.parse(tool);
  return tools === undefined ? [name ?? type] : tools.flatMap(toolNames);
}

function withoutIds(item: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(item).filter(([name]) => name !== 'id'));
}

/** How the CLI answers a call of a tool that it does not have; "aborted" stands in for a result that never came (measured). */
const NOT_CARRIED_OUT = /^(unsupported (custom tool )?call: |aborted$)/;

/** What the results of the attacks say, as the model would get them in the next call. */
export function leakInLaterRequests(
  later: readonly Readonly<Record<string, unknown>>[],
  canary: Canary,
): string | undefined {
  if (JSON.stringify(later).includes(canary.secret)) return 'a file was read';
  for (const body of later) {
    for (const item of requestSchema.parse(body).input) {
      if (!item.type.endsWith('_output')) continue;
      const output = item['output'];
      if (typeof output !== 'string' || !NOT_CARRIED_OUT.test(output)) return 'a call of a tool was carried out';
    }
  }
  return undefined;
}
