import { readResponsesRequest, type ResponsesItem, type ResponsesRequest } from '../chatgpt/read-request.ts';
import { type AnswerBody, type AnswerRoute, type AnswerRouteDependencies, createAnswerRoute } from './answer-route.ts';
import { responseFrames, wholeResponse } from './responses-shapes.ts';

type ResponsesBody = Omit<ResponsesRequest, 'input'> &
  AnswerBody & { readonly input?: string | readonly ResponsesItem[] };

/** `POST /v1/responses` by script, magic words and echo. */
export function createResponsesRoute(deps: AnswerRouteDependencies): AnswerRoute<ResponsesBody> {
  return createAnswerRoute<ResponsesBody>(deps, {
    idPrefix: '',
    missing: ({ input }) => (input === undefined ? 'input' : undefined),
    read: ({ input, ...request }) => readResponsesRequest(request, itemsOf(input)),
    facts: ({ instructions = '', input, tools, text }) => ({ instructions, input, tools, text }),
    whole: wholeResponse,
    frames: responseFrames,
  });
}

function itemsOf(input: ResponsesBody['input'] = []): readonly ResponsesItem[] {
  return typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : input;
}
