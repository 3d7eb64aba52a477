import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
import type { ErrorInside } from './error-inside.ts';

/** Why a 200 is no answer. */
export interface NotWhole {
  readonly whole: false;
  readonly reason: string;
  /** The provider's error in it, where that says whose fault it is. */
  readonly inside?: ErrorInside;
  /** An answer was begun before that, and may be billed. */
  readonly begun?: boolean;
}

/** A 200 without streaming: the provider's text as it is, or why it is no answer. */
export type CompletionReading =
  | {
      readonly whole: true;
      readonly body: string;
      readonly usage: unknown;
      /** As the answer says it. */
      readonly serviceTier?: unknown;
    }
  | NotWhole;

/**
 * Checks that the body of a 200 is a chat completion. Providers send errors, HTML pages and cut bodies with a 200 as well.
 * Pure.
 */
export function readCompletion(text: string): CompletionReading {
  const completion = parseJson(text);
  if (!isJsonObject(completion)) return { whole: false, reason: 'a 200 whose body is no JSON object' };
  if ((completion['error'] ?? null) !== null) return { whole: false, reason: 'a 200 with an error in its body' };
  const choices: unknown = completion['choices'];
  if (!Array.isArray(choices) || choices.length === 0) return { whole: false, reason: 'a 200 without choices' };
  if (choices.some((choice) => !isJsonObject(choice) || !isJsonObject(choice['message']))) {
    return { whole: false, reason: 'a 200 with a choice without a message' };
  }
  if (choices.some((choice) => isJsonObject(choice) && choice['finish_reason'] === 'error')) {
    return { whole: false, reason: 'a 200 in which the provider gave up' };
  }
  // Some providers send white space while they think, to keep the connection open.
  return { whole: true, body: text.trim(), usage: completion['usage'], serviceTier: completion['service_tier'] };
}
