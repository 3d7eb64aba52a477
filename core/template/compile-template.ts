import { parseTemplateText } from './template-text.ts';

/** A step of writing one line: JSON text as it is, a column inside a JSON string, or a column as a JSON value. */
export type TemplateStep =
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'text'; readonly column: string }
  | { readonly kind: 'value'; readonly column: string };

export interface CompiledTemplate {
  /** Write the request's body, from `{` to `}`. */
  readonly body: readonly TemplateStep[];
  /** Write what is between the quotes of `custom_id`; null where rows are numbered. */
  readonly customId: readonly TemplateStep[] | null;
  /** The columns named, each once, in the order of their first use. */
  readonly columns: readonly string[];
}

export type CompileResult =
  | { readonly ok: true; readonly template: CompiledTemplate }
  /** `param` is the path to the string at fault, as in `body.messages[0].content`. */
  | { readonly ok: false; readonly param: string; readonly message: string };

class TemplateProblem extends Error {
  readonly param: string;
  constructor(param: string, message: string) {
    super(message);
    this.param = param;
  }
}

/**
 * Turns a template into the steps that write a line's JSON, so that a row costs no walk over the template and no cell can
 * become anything but a value. Places are looked for in strings, not in the names of fields. The nesting of `body` must be
 * bounded already.
 */
export function compileTemplate(body: Readonly<Record<string, unknown>>, customId: string | null): CompileResult {
  try {
    const bodySteps = merge(stepsOf(body, 'body'));
    const customIdSteps = customId === null ? null : merge(textSteps(customId, 'custom_id'));
    const steps = [...bodySteps, ...(customIdSteps ?? [])];
    const columns = [...new Set(steps.flatMap((step) => (step.kind === 'json' ? [] : [step.column])))];
    return { ok: true, template: { body: bodySteps, customId: customIdSteps, columns } };
  } catch (error) {
    if (error instanceof TemplateProblem) return { ok: false, param: error.param, message: error.message };
    throw error;
  }
}

function stepsOf(value: unknown, path: string): TemplateStep[] {
  if (typeof value === 'string') return stringSteps(value, path);
  if (Array.isArray(value)) {
    const items = value.flatMap((item: unknown, index) => [
      json(index === 0 ? '' : ','),
      ...stepsOf(item, `${path}[${index}]`),
    ]);
    return [json('['), ...items, json(']')];
  }
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).flatMap(([key, item], index) => [
      json(`${index === 0 ? '' : ','}${JSON.stringify(key)}:`),
      ...stepsOf(item, `${path}.${key}`),
    ]);
    return [json('{'), ...fields, json('}')];
  }
  return [json(JSON.stringify(value))];
}

/** A string that is one place and nothing else becomes the column's value, whatever its type. */
function stringSteps(text: string, path: string): TemplateStep[] {
  const steps = textSteps(text, path);
  const [only] = steps;
  if (steps.length === 1 && only !== undefined && only.kind === 'text') return [{ kind: 'value', column: only.column }];
  return [json('"'), ...steps, json('"')];
}

/** What is between the quotes of a JSON string. */
function textSteps(text: string, path: string): TemplateStep[] {
  const parsed = parseTemplateText(text);
  if (!parsed.ok) throw new TemplateProblem(path, parsed.message);
  return parsed.pieces.map((piece) =>
    typeof piece === 'string' ? json(JSON.stringify(piece).slice(1, -1)) : { kind: 'text', column: piece.column },
  );
}

function json(text: string): TemplateStep {
  return { kind: 'json', text };
}

function merge(steps: readonly TemplateStep[]): TemplateStep[] {
  const merged: TemplateStep[] = [];
  for (const step of steps) {
    const last = merged.at(-1);
    if (step.kind === 'json' && last?.kind === 'json') merged[merged.length - 1] = json(last.text + step.text);
    else merged.push(step);
  }
  return merged;
}
