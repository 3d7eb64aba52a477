import type { Operation } from '../lane-port.ts';

/** From the fewest to the most that is likely. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** What one request asks for, without a tokenizer. */
export interface PromptEstimate {
  readonly tokens: Range;
  /** Images, sounds and files, of whose tokens only bounds are known. */
  readonly attachments: number;
}

/**
 * Tokens of a character, between which OpenAI's o200k_base stayed in every text that was tried with it: prose, code and JSON have
 * 3.5 to 5 ASCII characters a token, rows of numbers 1.8; the alphabets up to U+07FF 0.3 (Russian) to 0.5 (Greek) tokens a
 * character, what lies above (Hindi, Chinese, emoji) 0.5 to 0.9.
 * Random characters (hashes, base64) take more, up to 0.7 tokens each.
 */
const TOKENS_PER_LETTER: Range = { low: 1 / 5.5, high: 1 / 3 };
const TOKENS_PER_SIGN: Range = { low: 1 / 3.5, high: 1 / 1.5 };
const TOKENS_PER_ALPHABETIC: Range = { low: 0.25, high: 0.6 };
const TOKENS_PER_OTHER: Range = { low: 0.4, high: 1 };
const LAST_ALPHABETIC = 0x7ff;

/** What the frame of a message, and of the whole, costs. */
const TOKENS_PER_MESSAGE = 4;
const TOKENS_PER_REQUEST = 3;

/** An image in low detail, and a large one in high detail; sounds and files have no bound that is known before. */
const TOKENS_PER_ATTACHMENT: Range = { low: 85, high: 1_600 };

const ATTACHMENT_TYPES = new Set(['image_url', 'input_image', 'input_audio', 'file', 'input_file']);

/** Fields that reach the model as JSON. */
const JSON_FIELDS = ['tools', 'functions', 'response_format', 'text'] as const;

type Body = Readonly<Record<string, unknown>>;

/** Estimates the tokens of a request's prompt: its texts, its tools and schemas, and the frame around them. */
export function estimatePrompt(operation: Operation, body: Body): PromptEstimate {
  const sum = { letters: 0, signs: 0, alphabetic: 0, others: 0, exact: 0, attachments: 0 };
  const addText = (text: string): void => {
    let letters = 0;
    let alphabetic = 0;
    let others = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > LAST_ALPHABETIC) others += 1;
      else if (code > 127) alphabetic += 1;
      else if (isLetter(code)) letters += 1;
    }
    sum.letters += letters;
    sum.alphabetic += alphabetic;
    sum.others += others;
    sum.signs += text.length - letters - alphabetic - others;
  };
  const add = (value: unknown): void => {
    if (typeof value === 'string') addText(value);
    else if (Array.isArray(value)) for (const item of value) add(item);
    else if (typeof value === 'object' && value !== null) {
      const { type } = value as { type?: unknown };
      if (typeof type === 'string' && ATTACHMENT_TYPES.has(type)) sum.attachments += 1;
      else for (const item of Object.values(value)) add(item);
    }
  };
  const { messages, input, instructions } = body as { messages?: unknown; input?: unknown; instructions?: unknown };
  if (operation === 'embeddings') {
    // Numbers are tokens already.
    sum.exact += countNumbers(input);
    add(input);
  } else {
    add(messages);
    add(input);
    add(instructions);
    for (const field of JSON_FIELDS) if (body[field] !== undefined) addText(JSON.stringify(body[field]));
    sum.exact += TOKENS_PER_REQUEST + TOKENS_PER_MESSAGE * (countOf(messages) + countOf(input));
  }
  const tokens = (end: keyof Range): number =>
    sum.exact +
    sum.letters * TOKENS_PER_LETTER[end] +
    sum.signs * TOKENS_PER_SIGN[end] +
    sum.alphabetic * TOKENS_PER_ALPHABETIC[end] +
    sum.others * TOKENS_PER_OTHER[end] +
    sum.attachments * TOKENS_PER_ATTACHMENT[end];
  return { tokens: { low: tokens('low'), high: tokens('high') }, attachments: sum.attachments };
}

/**
 * The most tokens that a request allows for its answer, over all of its choices; null where it sets no limit.
 * Embeddings have none: 0.
 */
export function outputLimit(operation: Operation, body: Body): number | null {
  if (operation === 'embeddings') return 0;
  const limits = ['max_completion_tokens', 'max_tokens', 'max_output_tokens'].map((name) => body[name]);
  const limit = limits.find(isCount);
  if (limit === undefined) return null;
  const { n } = body as { n?: unknown };
  return limit * (isCount(n) ? n : 1);
}

/** What is no such number says nothing; sums over a file stay finite. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

/** ASCII letters and the space, which mostly belongs to the word behind it. */
function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 32;
}

function countOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

function countNumbers(value: unknown): number {
  if (typeof value === 'number') return 1;
  return Array.isArray(value) ? value.reduce((sum: number, item: unknown) => sum + countNumbers(item), 0) : 0;
}
