/**
 * The words by which a prompt tells a stand-in how to answer. They stand anywhere in the last user text, as
 * `[[word]]` or `[[word:argument]]`; both stand-ins share this grammar, and `failNext` scripts take the same words
 * without brackets (`failNext: ['status:500', 'half']`).
 *
 * | word | effect |
 * | --- | --- |
 * | `delay:MS` | waits before the first byte |
 * | `echo` | answers `echo: <last user text>`, which is the default |
 * | `say:TEXT` | answers TEXT |
 * | `json:JSON` | answers that JSON, as it is written |
 * | `size:N` | answers N characters; `seed:S` chooses which |
 * | `ticks:N:MS` | answers `1 2 … N `, one delta each, MS apart |
 * | `tool:NAME:JSON` | calls that function with those arguments, on the plan after the text of `say`; several make parallel calls |
 * | `reasoning` or `reasoning:N` | N (64) reasoning tokens, and a reasoning item where the wire has one |
 * | `cached:N` | N of the input tokens are cached |
 * | `length` | ends with finish reason `length`; the CLI makes a failed turn of it (`other`), after the text |
 * | `status:NNN` | fails with that HTTP status; 429 is a burst limit |
 * | `retry-after:S` | adds `retry-after` and `retry-after-ms` to a failure |
 * | `limit` | plan: end of the window (`usage_limit_reached`); API: `insufficient_quota` |
 * | `context` | the prompt is too long |
 * | `policy` | the prompt is against the content policy |
 * | `failed:CODE` | plan only: the stream begins and then says `response.failed` with that code |
 * | `half` | some deltas, then the connection is cut |
 * | `after-call:cut` | plan only: the text and the first function call are whole, then the connection is cut |
 * | `after-call:incomplete` | plan only: likewise, but then comes `response.incomplete` |
 * | `after-call:MS` | plan only: nothing for MS after each function call |
 * | `hang` | never answers |
 * | `html` `broken` `error200` `endless` | API only: status 200 with a page, cut JSON, an error body, a body without an end |
 */
export interface MagicWords {
  readonly delayMs: number;
  readonly failure: Failure | undefined;
  /** What to answer, as it is written; undefined for the echo. */
  readonly text: string | undefined;
  readonly ticks: { readonly count: number; readonly gapMs: number } | undefined;
  readonly tools: readonly ToolWord[];
  readonly reasoningTokens: number;
  readonly cachedTokens: number;
  readonly finishLength: boolean;
  readonly retryAfterSeconds: number | undefined;
  /** Milliseconds of silence after each function call. */
  readonly afterCallMs: number;
}

export interface ToolWord {
  readonly name: string;
  /** JSON, as it is written. */
  readonly arguments: string;
}

const BARE_FAILURES = ['limit', 'context', 'policy', 'half', 'hang', 'html', 'broken', 'error200', 'endless'] as const;
type BareFailure = (typeof BARE_FAILURES)[number];
export type Failure =
  | { readonly kind: BareFailure }
  | { readonly kind: 'after-call'; readonly end: 'cut' | 'incomplete' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'failed'; readonly code: string };

const NOTHING: MagicWords = {
  delayMs: 0,
  failure: undefined,
  text: undefined,
  ticks: undefined,
  tools: [],
  reasoningTokens: 0,
  cachedTokens: 0,
  finishLength: false,
  retryAfterSeconds: undefined,
  afterCallMs: 0,
};

/**
 * Reads the words of a text; unknown words are plain text.
 * @param extraWord a word without brackets that comes first, from a `failNext` script
 */
export function parseMagicWords(text: string, extraWord?: string): MagicWords {
  // Most prompts of a load run hold no word at all.
  if (extraWord === undefined && !text.includes('[[')) return NOTHING;
  const found = extraWord === undefined ? [] : [extraWord];
  for (let at = text.indexOf('[['); at >= 0;) {
    const end = closingBrackets(text, at + 2);
    if (end < 0) break;
    found.push(text.slice(at + 2, end));
    at = text.indexOf('[[', end + 2);
  }
  return readWords(found);
}

/** Where the word that begins at `from` ends: for JSON arguments the first `]]` at which they are whole. */
function closingBrackets(text: string, from: number): number {
  const json = /^(?:json:|tool:[\w-]+:)/.exec(text.slice(from, from + 100));
  const first = text.indexOf(']]', from);
  if (json === null) return first;
  for (let end = first; end >= 0; end = text.indexOf(']]', end + 1)) {
    if (isJson(text.slice(from + json[0].length, end))) return end;
  }
  return first;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readWords(found: readonly string[]): MagicWords {
  const words: { -readonly [K in keyof MagicWords]: MagicWords[K] } = { ...NOTHING };
  const tools: ToolWord[] = [];
  let size: number | undefined;
  let seed = 0;
  for (const word of found) {
    const colon = word.indexOf(':');
    const name = colon < 0 ? word : word.slice(0, colon);
    const argument = colon < 0 ? '' : word.slice(colon + 1);
    const amount = Number.parseInt(argument, 10) || 0;
    if (name === 'delay') words.delayMs = amount;
    else if (name === 'say' || name === 'json') words.text = argument;
    else if (name === 'size') size = amount;
    else if (name === 'seed') seed = amount;
    else if (name === 'ticks')
      words.ticks = { count: amount, gapMs: Number.parseInt(argument.split(':')[1] ?? '0', 10) };
    else if (name === 'tool') tools.push(readTool(argument));
    else if (name === 'reasoning') words.reasoningTokens = amount || 64;
    else if (name === 'cached') words.cachedTokens = amount;
    else if (name === 'length') words.finishLength = true;
    else if (name === 'retry-after') words.retryAfterSeconds = Number.parseFloat(argument);
    else if (name === 'after-call' && amount > 0) words.afterCallMs = amount;
    else words.failure ??= readFailure(name, argument, amount);
  }
  if (size !== undefined) words.text = filler(size, seed);
  return { ...words, tools };
}

function readTool(argument: string): ToolWord {
  const colon = argument.indexOf(':');
  if (colon < 0) return { name: argument, arguments: '{}' };
  return { name: argument.slice(0, colon), arguments: argument.slice(colon + 1) };
}

function readFailure(name: string, argument: string, amount: number): Failure | undefined {
  if (name === 'status') return { kind: 'status', status: amount };
  if (name === 'failed') return { kind: 'failed', code: argument };
  if (name === 'after-call' && (argument === 'cut' || argument === 'incomplete')) return { kind: name, end: argument };
  const kind = BARE_FAILURES.find((failure) => failure === name);
  return kind === undefined ? undefined : { kind };
}

/** A text of exactly `size` characters, the same for the same seed. */
function filler(size: number, seed: number): string {
  const piece = `${seed} the quick brown fox jumps over the lazy dog, `;
  return piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
}
