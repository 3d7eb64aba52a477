import type { Operation } from '../lane-port.ts';
import { MAX_MODEL_CHARACTERS } from './model-name.ts';
import { memoryDemand } from './responses-memory.ts';

/** Why a line is refused, in the words of OpenAI's validation. */
export interface LineProblem {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
}

type Body = Readonly<Record<string, unknown>>;

/** What the body of each endpoint can't do without. */
const REQUIRED: Readonly<Record<Operation, { readonly field: string; readonly title: string }>> = {
  chat: { field: 'messages', title: 'Messages' },
  responses: { field: 'input', title: 'Input' },
  embeddings: { field: 'input', title: 'Input' },
};

/** How OpenAI calls the endpoints in its messages. */
const TITLES: Readonly<Record<Operation, string>> = {
  chat: 'Chat Completions',
  responses: 'Responses',
  embeddings: 'Embeddings',
};

/** The first thing that is wrong with the body of a line, or null: model, what the endpoint needs, streaming, memory. */
export function checkLineBody(operation: Operation, body: Body): LineProblem | null {
  const { model, stream } = body as { model?: unknown; stream?: unknown };
  if (typeof model !== 'string' || model === '') {
    return { code: 'invalid_request', message: 'Model parameter is required.', param: 'body.model' };
  }
  if (model.length > MAX_MODEL_CHARACTERS) {
    const message = `The name of a model has at most ${MAX_MODEL_CHARACTERS} characters.`;
    return { code: 'invalid_request', message, param: 'body.model' };
  }
  const { field, title } = REQUIRED[operation];
  if (isMissing(body[field])) {
    return { code: 'invalid_request', message: `${title} parameter is required.`, param: `body.${field}` };
  }
  if (stream !== undefined && stream !== null && stream !== false) {
    const message = `${TITLES[operation]}: Streaming is not supported in the Batch API.`;
    return { code: 'streaming_unsupported', message, param: 'body.stream' };
  }
  const demand = operation === 'responses' ? memoryDemand(body) : undefined;
  if (demand === undefined) return null;
  return { code: 'unsupported_parameter', message: demand.message, param: `body.${demand.param}` };
}

/** Texts of which a line wants embeddings: OpenAI bounds them over all lines. 0 for other endpoints. */
export function embeddingInputs(operation: Operation, { input }: Body): number {
  if (operation !== 'embeddings') return 0;
  // A list of numbers is one text, as tokens.
  if (!Array.isArray(input) || typeof input[0] === 'number') return 1;
  return input.length;
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}
