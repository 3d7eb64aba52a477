import { fitsDocument } from '../../core/answer-limit.ts';
import type { Operation, TokenUsage } from '../../core/lane-port.ts';
import { isJsonObject, parseJson } from '../../core/wire/json-object.ts';
import { readUsage, usageAtTier } from '../../core/wire/usage.ts';
import { PROVIDER_OPERATIONS } from '../../lanes/openai/provider-operation.ts';
import { lineOfId } from './provider-run.ts';

/** A line of a run, without its body. */
export interface Place {
  readonly line: number;
  readonly customId: string;
  readonly operation: Operation;
  /** What its answer may have cost at most. */
  readonly mostMicros: number;
  /** The tier that it asks for. */
  readonly askedTier: unknown;
}

/** What a line of a result file is for a line of the batch. */
export type ResultLine =
  | { readonly kind: 'answer'; readonly place: Place; readonly body: string; readonly usage: TokenUsage | null }
  /** The caller's own fault. */
  | {
      readonly kind: 'refusal';
      readonly place: Place;
      readonly status: number;
      readonly body: string;
      readonly mayBeBilled: boolean;
    }
  /** No outcome, and yet something that may have to be paid for. */
  | { readonly kind: 'lost'; readonly place: Place };

/** An answer of a provider that is about the line itself: nobody else would answer it otherwise. */
const CALLERS_FAULT = new Set([400, 413, 415, 422]);

/**
 * Reads a line of a result file. Undefined where it has no outcome of its own there; `unreadable` for what may be an answer and is
 * none that can be kept. Pure.
 * @param places the lines of the run by their numbers
 */
export function readResultLine(
  bytes: Buffer,
  places: ReadonlyMap<number, Place>,
): ResultLine | undefined | 'unreadable' {
  const text = bytes.toString('utf8');
  if (text.trim() === '') return undefined;
  const said = parseJson(text);
  if (!isJsonObject(said)) return 'unreadable';
  if (!isJsonObject(said['response'])) return undefined;
  const { status_code: status, body } = said['response'];
  if (typeof status !== 'number') return 'unreadable';
  const place = places.get(lineOfId(said['custom_id']) ?? 0);
  if (place === undefined || !isJsonObject(body) || !fitsDocument(text))
    return status === 200 ? 'unreadable' : undefined;
  if (status === 200) return readAnswer(place, JSON.stringify(body));
  if (!CALLERS_FAULT.has(status)) return undefined;
  return { kind: 'refusal', place, status, body: JSON.stringify(body), mayBeBilled: false };
}

/** By the same judgement as the answer to a call: providers send errors with a 200 as well. */
function readAnswer(place: Place, text: string): ResultLine | undefined {
  const reading = PROVIDER_OPERATIONS[place.operation].readWhole(text);
  if (reading.whole) {
    const usage = usageAtTier(readUsage(reading.usage), reading.serviceTier, place.askedTier);
    return { kind: 'answer', place, body: reading.body, usage };
  }
  const { inside, begun = false } = reading;
  if (inside?.callerAnswer !== undefined) {
    return { kind: 'refusal', place, ...inside.callerAnswer, mayBeBilled: begun };
  }
  // What no error explains may be an answer that was cut off.
  return begun || inside === undefined ? { kind: 'lost', place } : undefined;
}
