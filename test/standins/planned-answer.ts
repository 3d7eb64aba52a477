import type { MagicWords, ToolWord } from './magic-words.ts';
import { sampleOfSchema } from './sample-of-schema.ts';

/** What a stand-in will say, before it is put on a wire. */
export interface PlannedAnswer {
  readonly text: string;
  /** The text in the pieces in which it is streamed. */
  readonly deltas: readonly string[];
  /** Milliseconds between the deltas. */
  readonly gapMs: number;
  readonly tools: readonly ToolWord[];
  readonly usage: PlannedUsage;
  readonly finishReason: 'stop' | 'length' | 'tool_calls';
}

export interface PlannedUsage {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  /** Includes the reasoning tokens. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/** A prompt, read from either wire. */
export interface ReadPrompt {
  readonly lastUserText: string;
  /** Results of function calls that came after the last user text. */
  readonly toolOutputs: readonly string[];
  /** Characters of everything that the model would read. */
  readonly promptCharacters: number;
  /** The schema that the answer must keep to; `true` where any JSON object will do. */
  readonly schema: unknown;
}

const DELTA_COUNT = 4;

/** Four characters are a token, and there is always one: so that a test can work out what a call costs. */
export function tokensOf(characters: number): number {
  return Math.max(1, Math.ceil(characters / 4));
}

/** Decides the answer to a prompt from its magic words; without any it is an echo. */
export function planAnswer(prompt: ReadPrompt, words: MagicWords): PlannedAnswer {
  // A prompt whose function calls have been answered must not call them again.
  const tools = prompt.toolOutputs.length === 0 ? words.tools : [];
  // A text before the calls only where the words have one.
  const text = tools.length > 0 ? (words.text ?? '') : answerText(prompt, words);
  const deltas = words.ticks === undefined || tools.length > 0 ? split(text) : ticks(words.ticks.count);
  const written = tools.reduce((sum, tool) => sum + tool.name.length + tool.arguments.length, text.length);
  const inputTokens = tokensOf(prompt.promptCharacters);
  return {
    text,
    deltas,
    gapMs: words.ticks?.gapMs ?? 0,
    tools,
    usage: {
      inputTokens,
      cachedTokens: Math.min(inputTokens, words.cachedTokens),
      outputTokens: tokensOf(written) + words.reasoningTokens,
      reasoningTokens: words.reasoningTokens,
    },
    finishReason: tools.length > 0 ? 'tool_calls' : words.finishLength ? 'length' : 'stop',
  };
}

function answerText(prompt: ReadPrompt, words: MagicWords): string {
  if (words.text !== undefined) return words.text;
  if (words.ticks !== undefined) return ticks(words.ticks.count).join('');
  const echo =
    prompt.toolOutputs.length > 0 ? `tool: ${prompt.toolOutputs.join(', ')}` : `echo: ${prompt.lastUserText}`;
  if (prompt.schema === undefined) return echo;
  return JSON.stringify(prompt.schema === true ? { echo } : sampleOfSchema(prompt.schema, echo));
}

function ticks(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index + 1} `);
}

/** Cuts a text into a few deltas, never within a surrogate pair. */
function split(text: string): string[] {
  const step = Math.ceil(text.length / DELTA_COUNT);
  const deltas: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + step);
    const last = text.charCodeAt(end - 1);
    if (last >= 0xd800 && last <= 0xdbff) end = Math.min(text.length, end + 1);
    deltas.push(text.slice(at, end));
    at = end;
  }
  return deltas;
}
