import { randomBytes } from 'node:crypto';
import type { z } from 'zod';
import { toUnixSeconds } from '../../core/clock.ts';
import { ApiError } from '../../core/errors.ts';
import type { LaneCall } from '../../core/lane-port.ts';
import { chatRequestSchema } from '../../core/wire/chat-request.ts';
import { responsesRequestSchema } from '../../core/wire/responses-request.ts';
import type { PlanModel } from './account-reads.ts';
import { createChatWire } from './chat-wire.ts';
import type { TurnFailure } from './classify-failure.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import { createResponseWire } from './response-wire.ts';
import { createAnswer, type Answer, type AnswerRules } from './translate-answer.ts';
import { translateRequest, type TurnRequest } from './translate-request.ts';
import { echoOf, translateResponses } from './translate-responses.ts';

/** A call as a turn, and how its answer will be written. */
export interface PlannedTurn {
  readonly request: TurnRequest;
  readonly answer: Answer;
}

/**
 * Makes a turn out of a call of either wire, or says why there is none. Touches nothing.
 * @param now Unix milliseconds
 */
export function planTurn(
  call: Pick<LaneCall, 'operation' | 'model' | 'body'>,
  models: readonly PlanModel[],
  now: number,
): PlannedTurn | TurnFailure | Refusal {
  const { operation = 'chat', model: name } = call;
  if (operation === 'embeddings') return { class: 'unsupported', reason: 'a plan has no embeddings' };
  const model = models.find((known) => known.slug === name);
  // For a model out of the catalogue the CLI takes metadata of its own, with limits and tools that nobody has tested.
  if (model === undefined) {
    return {
      class: 'model_unavailable',
      reason: "the model is not in the Codex CLI's catalogue",
      callerError: new ApiError('model_not_found', 'The model does not exist or you do not have access to it.', {
        param: 'model',
      }),
    };
  }
  const efforts = model.efforts.length > 0 ? model.efforts : undefined;
  const idSuffix = randomBytes(16).toString('hex');
  const created = toUnixSeconds(now);

  if (operation === 'responses') {
    const body = responsesRequestSchema.safeParse(call.body);
    if (!body.success) return otherBody(body.error);
    const request = translateResponses(body.data, efforts);
    if (isRefusal(request)) return request;
    const wire = createResponseWire({ idSuffix, created, model: name, echo: echoOf(body.data) });
    return { request, answer: createAnswer(rulesOf(request), wire) };
  }
  const body = chatRequestSchema.safeParse(call.body);
  if (!body.success) return otherBody(body.error);
  const request = translateRequest(body.data, efforts);
  if (isRefusal(request)) return request;
  const includeUsage = body.data.stream_options?.include_usage === true;
  const wire = createChatWire({ id: `chatcmpl-${idSuffix}`, created, model: name, includeUsage });
  return { request, answer: createAnswer(rulesOf(request), wire) };
}

function rulesOf({ dynamicTools, mustCall, parallelToolCalls, json }: TurnRequest): AnswerRules {
  return { toolNames: new Set(dynamicTools.map((tool) => tool.name)), mustCall, parallelToolCalls, json };
}

/** The api has checked it: only a body that came another way gets here. */
function otherBody(error: z.ZodError): TurnFailure {
  const param = error.issues[0]?.path.join('.');
  return {
    class: 'caller_fault',
    reason: 'the body is no request of this endpoint',
    callerError: new ApiError('invalid_request', 'The request is invalid.', { param }),
  };
}
