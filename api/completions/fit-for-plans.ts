import type { Operation } from '../../core/lane-port.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';
import { responsesRequestSchema } from '../../core/wire/responses-request.ts';
import { isRefusal, type Refusal } from '../../lanes/codex/refusal.ts';
import { translateRequest, type TurnRequest } from '../../lanes/codex/translate-request.ts';
import { translateResponses } from '../../lanes/codex/translate-responses.ts';

/** Why no plan lane may take a request. */
export interface Misfit {
  /** In our own words. */
  readonly reason: string;
  /** The request's parameter that is in the way; null where it is the endpoint itself. */
  readonly param: string | null;
}

/**
 * What keeps a request off plan lanes, as far as its body tells; undefined when they can take it. Pure.
 * @param strict the caller wants every parameter to have its effect: what a plan lane leaves out, or demands in words only
 *   (`tool_choice`), is in the way then
 */
export function misfitOfPlans(operation: Operation, body: unknown, strict: boolean): Misfit | undefined {
  if (operation === 'embeddings') return { reason: 'a plan has no embeddings', param: null };
  const translated = operation === 'chat' ? asChat(body) : asResponses(body);
  if (translated === undefined) return undefined;
  if (isRefusal(translated)) return { reason: translated.reason, param: translated.error.param };
  if (!strict) return undefined;
  const [ignored = translated.mustCall ? 'tool_choice' : undefined] = translated.ignoredParams;
  return ignored === undefined ? undefined : { reason: `no full effect on a plan lane: ${ignored}`, param: ignored };
}

function asChat(body: unknown): TurnRequest | Refusal | undefined {
  const chat = chatRequestSchema.safeParse(body);
  return chat.success ? translateRequest(chat.data) : undefined;
}

function asResponses(body: unknown): TurnRequest | Refusal | undefined {
  const responses = responsesRequestSchema.safeParse(body);
  return responses.success ? translateResponses(responses.data) : undefined;
}
