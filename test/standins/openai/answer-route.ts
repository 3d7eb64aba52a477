import type { ServerResponse } from 'node:http';
import type { Attempt, AttemptLog, EndAttempt } from '../attempt-log.ts';
import { goneSignal, pause, sendJson, untilAborted } from '../http-exchange.ts';
import { type MagicWords, parseMagicWords } from '../magic-words.ts';
import { planAnswer, type PlannedAnswer, type ReadPrompt } from '../planned-answer.ts';
import { type OpenaiRefusal, quotaRefusal, refusalOf, refuse, unknownModelRefusal } from './api-errors.ts';
import type { ChatIdentity } from './chat-shapes.ts';
import type { ScriptState } from './script.ts';
import { answerSpoiled } from './spoiled-answer.ts';

export interface AnswerRouteDependencies {
  readonly script: ScriptState;
  readonly log: AttemptLog;
  readonly key: string;
  /** A random beginning for ids; a counter makes the rest, which is faster than a random id for each. */
  readonly idPrefix: string;
}

/** What all endpoints that answer have in their bodies. */
export interface AnswerBody {
  readonly model?: string;
  readonly stream?: boolean | null;
  readonly n?: number | null;
}

/** The pieces of a stream, as they go over the wire; `deltas` are the ones between which a scripted answer takes its time. */
export interface AnswerFrames {
  readonly opening: readonly string[];
  readonly deltas: readonly string[];
  readonly closing: readonly string[];
}

/** What one endpoint takes and how it writes its answers. */
export interface AnswerShape<Body extends AnswerBody> {
  readonly idPrefix: string;
  /** A parameter that must be there and is not. */
  readonly missing: (body: Body) => string | undefined;
  readonly read: (body: Body) => ReadPrompt;
  /** What the log keeps of the request. */
  readonly facts: (body: Body) => Pick<Attempt, 'instructions' | 'input' | 'tools' | 'text'>;
  readonly whole: (identity: ChatIdentity, answer: PlannedAnswer) => object;
  readonly frames: (identity: ChatIdentity, answer: PlannedAnswer, body: Body) => AnswerFrames;
}

export type AnswerRoute<Body> = (
  body: Body,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
) => Promise<void>;

/** An endpoint that answers by script, magic words and echo. */
export function createAnswerRoute<Body extends AnswerBody>(
  { script, log, key, idPrefix }: AnswerRouteDependencies,
  shape: AnswerShape<Body>,
): AnswerRoute<Body> {
  let answers = 0;

  const decideRefusal = (body: Body, words: MagicWords): OpenaiRefusal | undefined => {
    const missing = body.model === undefined ? 'model' : shape.missing(body);
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
    const prompt = shape.read(body);
    const stream = body.stream === true;
    const finish = log.start({
      account: key,
      transport: stream ? 'sse' : 'json',
      model: body.model ?? '',
      ...shape.facts(body),
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
      id: `${shape.idPrefix}${idPrefix}${answers.toString(16)}`,
      created: Math.floor(Date.now() / 1000),
      model: body.model ?? '',
      choices: body.n ?? 1,
    };
    const half = words.failure?.kind === 'half';
    if (stream) {
      return streamAnswer({ response, headers, frames: shape.frames(identity, answer, body), answer, half, finish });
    }
    if (answer.gapMs > 0 && !(await pause(answer.gapMs * answer.deltas.length, goneSignal(response)))) {
      return finish('aborted', 0);
    }
    if (half) return cutBody(response, JSON.stringify(shape.whole(identity, answer)), headers, finish);
    sendJson(response, 200, shape.whole(identity, answer), headers);
    finish('answered', 200);
  };
}

interface StreamedAnswer {
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string>>;
  readonly frames: AnswerFrames;
  readonly answer: PlannedAnswer;
  /** Cut off after half of the deltas. */
  readonly half: boolean;
  readonly finish: EndAttempt;
}

async function streamAnswer(streamed: StreamedAnswer): Promise<void> {
  const { response, answer, half, finish } = streamed;
  const { opening, deltas, closing } = streamed.frames;
  const send = (frame: string): boolean => response.write(frame);
  response.writeHead(200, { ...streamed.headers, 'content-type': 'text/event-stream' });
  // Chunks that belong to one moment go out as one packet.
  response.cork();
  for (const frame of opening) send(frame);
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
  for (const frame of closing) send(frame);
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
