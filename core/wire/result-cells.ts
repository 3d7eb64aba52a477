import type { TokenUsage } from '../lane-port.ts';
import type { LineOutcome } from './batch-output-line.ts';

/** What is told of a line's outcome in a table, in this order. */
export const RESULT_COLUMNS = [
  'custom_id',
  'status',
  'answer',
  'error',
  'model',
  'prompt_tokens',
  'completion_tokens',
  'lane',
] as const;

export interface TableOutcome extends LineOutcome {
  readonly usage: TokenUsage | null;
}

/**
 * The cells of an outcome under RESULT_COLUMNS. What is not known is empty. `status` is the HTTP status, or the code of the
 * error where there was no HTTP answer.
 * @param lane the name of the lane that served it; empty for none
 */
export function toResultCells(outcome: TableOutcome, lane: string): readonly string[] {
  const { customId, statusCode, error, usage } = outcome;
  const body = parse(outcome.body);
  const isAnswer = statusCode !== null && statusCode < 400;
  return [
    customId,
    statusCode === null ? (error?.code ?? '') : String(statusCode),
    isAnswer ? answerOf(body) : '',
    isAnswer ? '' : (error?.message ?? text(field(field(body, 'error'), 'message'))),
    text(field(body, 'model')),
    usage === null ? '' : String(usage.promptTokens),
    usage === null ? '' : String(usage.completionTokens),
    lane,
  ];
}

/**
 * What was answered, in one cell: the text of a chat completion or of a response, the numbers of an embedding. Of an answer
 * without text what there is instead, as JSON: calls of tools, or the whole body of a kind that is not known here.
 */
function answerOf(body: unknown): string {
  const { choices, output, data } = asFields(body);
  if (Array.isArray(choices)) return messageText(field(choices[0], 'message'));
  if (Array.isArray(output)) return outputText(output);
  if (Array.isArray(data)) {
    const embeddings = data.map((item: unknown) => field(item, 'embedding'));
    return text(embeddings.length === 1 ? embeddings[0] : embeddings);
  }
  return text(body);
}

function messageText(message: unknown): string {
  const { content, refusal, tool_calls: calls } = asFields(message);
  return firstText([content, refusal, calls]);
}

/** As the official clients' `output_text`; a refusal where there is no text. */
function outputText(output: readonly unknown[]): string {
  const parts = output.flatMap((item) => {
    const content = field(item, 'content');
    return Array.isArray(content) && field(item, 'type') === 'message' ? (content as readonly unknown[]) : [];
  });
  const joined = (name: string): string => parts.map((part) => text(field(part, name))).join('');
  const calls = output.filter((item) => field(item, 'type') === 'function_call');
  return firstText([joined('text'), joined('refusal'), calls.length === 0 ? null : calls]);
}

function firstText(values: readonly unknown[]): string {
  return values.map((value) => text(value)).find((value) => value !== '') ?? '';
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function field(value: unknown, name: string): unknown {
  return asFields(value)[name];
}

function asFields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** A body that is no JSON is taken as text: a provider may have answered anything. */
function parse(body: string | null): unknown {
  if (body === null) return null;
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
