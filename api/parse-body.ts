import type { z } from 'zod';
import { ApiError } from '../core/errors.ts';

/**
 * Checks a body against its schema.
 * @throws ApiError that names the parameter at fault as the caller wrote it
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = deepest(result.error.issues);
  if (issue.code === 'unrecognized_keys') throw unknownParameter(pathOf([...issue.path, issue.keys[0] ?? '']));
  const param = pathOf(issue.path) || undefined;
  if (param === undefined) throw new ApiError('invalid_request', 'The body must be a JSON object.');
  // JSON has no undefined: what is so is not there, whatever the schema wanted in its place.
  if (valueAt(body, issue.path) === undefined) {
    throw new ApiError('missing_required_parameter', `Missing required parameter: '${param}'.`, { param });
  }
  const name = isWrongType(issue) ? 'invalid_type' : 'invalid_value';
  throw new ApiError(name, `Invalid '${param}': ${issue.message}.`, { param });
}

function unknownParameter(param: string): ApiError {
  return new ApiError('unsupported_parameter', `Unknown parameter: '${param}'.`, { param });
}

/** Of a union's problems, those of the branch that came furthest say most. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue {
  const [first] = issues;
  if (first === undefined) throw new Error('a failed check has at least one issue');
  if (first.code !== 'invalid_union' || first.errors.length === 0) return first;
  const branches = first.errors.filter((branch) => branch.length > 0).map((branch) => deepest(branch));
  const best = branches.sort((left, right) => right.path.length - left.path.length)[0];
  return best === undefined || best.path.length === 0 ? first : { ...best, path: [...first.path, ...best.path] };
}

/** A union is of the wrong type when the value has the type of none of its branches. */
function isWrongType(issue: z.core.$ZodIssue): boolean {
  if (issue.code !== 'invalid_union') return issue.code === 'invalid_type';
  const branches = issue.errors.map((branch) => branch[0]);
  return branches.length > 0 && branches.every((first) => first?.code === 'invalid_type' && first.path.length === 0);
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}${text === '' ? '' : '.'}${String(step)}`),
    '',
  );
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    body,
  );
}
