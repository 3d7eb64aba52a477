import type { ServerResponse } from 'node:http';
import type { AttemptLog, EndAttempt } from '../attempt-log.ts';
import { goneSignal, pause, sendJson, untilAborted } from '../http-exchange.ts';
import { type MagicWords, parseMagicWords } from '../magic-words.ts';
import { planAnswer, type PlannedAnswer } from '../planned-answer.ts';
import { type OpenaiRefusal, quotaRefusal, refusalOf, refuse, unknownModelRefusal } from './api-errors.ts';
import { chatCompletion, type ChatIdentity, chatStream } from './chat-shapes.ts';
import { type ChatBody, readChat } from './read-chat.ts';
import type { ScriptState } from './script.ts';
import { answerSpoiled } from './spoiled-answer.ts';

interface ChatRouteDependencies {
  readonly script: ScriptState;
  readonly log: AttemptLog;
  readonly key: string;
  /** A random beginning for ids; a counter makes the rest, which is faster than a random id for each. */
  readonly idPrefix: string;
}

export type ChatRoute = (
  body: ChatBody,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
) => Promise<void>;

/** `POST /v1/chat/completions` by script, magic words and echo. */
export function createChatRoute({ script, log, key, idPrefix }: ChatRouteDependencies): ChatRoute {
  let answers = 0;

  const decideRefusal = (body: ChatBody, words: MagicWords): OpenaiRefusal | undefined => {
    const missing = body.model === undefined ? 'model' : Array.isArray(body.messages) ? undefined : 'messages';
    if (missing !== undefined) {
      const message = `Missing required parameter: '${missing}'.`;
      return refuse(400, 'invalid_request_error', 'missing_required_parameter', message, missing);
    }
    const scripted = refusalOf(words);
    if (scripted !== undefined) return scripted;
    const { models } = script.current();
    if (models !== undefined && !models.includes(body.model ?? '')) return unknownModelRefusal(body.model ?? '');
    return script.admit() ? undefined : quotaRefusal();
  };

  return async (body, response, headers) => {
    const prompt = readChat(body);
    const stream = body.stream === true;
    const finish = log.start({
      account: key,
      transport: stream ? 'sse' : 'json',
      model: body.model ?? '',
      instructions: '',
      input: body.messages,
      tools: body.tools,
      text: body.response_format,
      lastUserText: prompt.lastUserText,
    });
    const words = parseMagicWords(prompt.lastUserText, script.takeFailure());
    const delayMs = words.delayMs + (script.current().delayMs ?? 0);
    if (delayMs > 0 && !(await pause(delayMs, goneSignal(response)))) return finish('aborted', 0);

    const refusal = decideRefusal(body, words);
    if (refusal !== undefined) {
      sendJson(response, refusal.status, refusal.body, { ...headers, ...refusal.headers });
      const limit = refusal.body.error['code'] === 'insufficient_quota';
      return finish(limit ? 'limit' : refusal.status === 401 ? 'unauthorized' : 'refused', refusal.status);
    }
    if (words.failure?.kind === 'hang') {
      await untilAborted(goneSignal(response));
      return finish('aborted', 0);
    }
    if (words.failure !== undefined && (await answerSpoiled(response, words.failure, stream, headers))) {
      return finish('spoiled', 200);
    }

    const answer = planAnswer(prompt, words);
    answers += 1;
    const identity: ChatIdentity = {
      id: `chatcmpl-${idPrefix}${answers.toString(16)}`,
      created: Math.floor(Date.now() / 1000),
      model: body.model ?? '',
      choices: body.n ?? 1,
    };
    const half = words.failure?.kind === 'half';
    if (stream) {
      const includeUsage = body.stream_options?.include_usage === true;
      return streamAnswer({ response, headers, identity, answer, includeUsage, half, finish });
    }
    if (answer.gapMs > 0 && !(await pause(answer.gapMs * answer.deltas.length, goneSignal(response)))) {
      return finish('aborted', 0);
    }
    if (half) return cutBody(response, JSON.stringify(chatCompletion(identity, answer)), headers, finish);
    sendJson(response, 200, chatCompletion(identity, answer), headers);
    finish('answered', 200);
  };
}

interface StreamedAnswer {
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string>>;
  readonly identity: ChatIdentity;
  readonly answer: PlannedAnswer;
  readonly includeUsage: boolean;
  /** Cut off after half of the deltas. */
  readonly half: boolean;
  readonly finish: EndAttempt;
}

async function streamAnswer(streamed: StreamedAnswer): Promise<void> {
  const { response, answer, half, finish } = streamed;
  const { opening, deltas, closing } = chatStream(streamed.identity, answer, streamed.includeUsage);
  const send = (chunk: object): boolean => response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  response.writeHead(200, { ...streamed.headers, 'content-type': 'text/event-stream' });
  // Chunks that belong to one moment go out as one packet.
  response.cork();
  for (const chunk of opening) send(chunk);
  const sent = half ? deltas.slice(0, Math.ceil(deltas.length / 2)) : deltas;
  const signal = answer.gapMs > 0 ? goneSignal(response) : undefined;
  for (const [index, delta] of sent.entries()) {
    if (index > 0 && signal !== undefined) {
      response.uncork();
      if (!(await pause(answer.gapMs, signal))) return finish('aborted', 200);
      response.cork();
    }
    send(delta);
  }
  if (half) {
    response.write('\n', () => response.destroy());
    response.uncork();
    return finish('cut', 200);
  }
  for (const chunk of closing) send(chunk);
  response.write('data: [DONE]\n\n');
  response.uncork();
  response.end();
  finish('answered', 200);
}

/** Sends half of a body that says it is longer, then breaks the connection off. */
function cutBody(
  response: ServerResponse,
  text: string,
  headers: Readonly<Record<string, string>>,
  finish: EndAttempt,
): void {
  const length = Buffer.byteLength(text);
  response.writeHead(200, { ...headers, 'content-type': 'application/json', 'content-length': length });
  response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
  finish('cut', 200);
}
