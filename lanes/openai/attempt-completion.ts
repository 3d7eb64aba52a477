import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Clock } from '../../core/clock.ts';
import type { AttemptFailure } from '../../core/contracts/failure.ts';
import type { LaneCall, LaneOutcome } from '../../core/lane-port.ts';
import { readUsage, usageAtTier } from '../../core/wire/usage.ts';
import type { AttemptLimits } from './attempt-limits.ts';
import { ANSWER_LIMIT_BYTES, ERROR_BODY_LIMIT_BYTES, readText } from './bounded-body.ts';
import { classifyResponse } from './classify-response.ts';
import { describeError } from './describe-error.ts';
import type { MissingEndpoints } from './missing-endpoints.ts';
import type { ProviderQuirks } from './presets.ts';
import { PROVIDER_OPERATIONS, type ProviderOperation } from './provider-operation.ts';
import type { NotWhole } from './read-completion.ts';
import { asksForUsage } from './request-body.ts';
import { unpackBody } from './unpack-body.ts';
import { unsupportedParam } from './unsupported-param.ts';

/** After `[DONE]` a provider gets this long to end the body; ended properly, its connection can be used again. */
const BODY_END_WAIT_MS = 100;

/** Sends the request and resolves with the head of the response. */
export type SendRequest = (body: Iterable<Buffer>, bytes: number) => Promise<Dispatcher.ResponseData>;

export interface CompletionAttempt {
  readonly call: LaneCall;
  readonly limits: AttemptLimits;
  readonly send: SendRequest;
  readonly quirks: ProviderQuirks;
  readonly missing: MissingEndpoints;
  readonly clock: Clock;
}

/** The head of an answer, and its body as it was before it was packed. */
interface ProviderAnswer extends Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'> {
  readonly body: Readable;
}

/** What an attempt has seen so far, for the failure that may come. */
interface Progress {
  reachedUpstream: boolean;
  answerStarted: boolean;
  callerLost: boolean;
  upstreamStatus?: number;
}

/** Sends one request and reads its answer. Never throws: whatever happens is an outcome with a class. */
export async function attemptCompletion(attempt: CompletionAttempt): Promise<LaneOutcome> {
  const progress: Progress = { reachedUpstream: false, answerStarted: false, callerLost: false };
  const param = unsupportedParam(attempt.call.body, attempt.quirks);
  if (param !== undefined) {
    return failed(progress, { class: 'unsupported', param, reason: `this provider can’t do '${param}'` });
  }
  const { operation: name = 'chat', model } = attempt.call;
  if (attempt.missing.has(name, model)) {
    return failed(progress, {
      class: 'unsupported',
      reason: 'the provider does not have this endpoint, as it has said',
    });
  }
  try {
    const operation = operationOf(attempt.call);
    const payload = Buffer.from(operation.toBody(attempt.call, attempt.quirks));
    const {
      statusCode,
      headers,
      body: packed,
    } = await attempt.send(trackedBody(payload, progress), payload.byteLength);
    const body = unpackBody(headers, packed);
    // A body that is given up must not bring the process down; whoever reads it gets the error as well.
    for (const each of [packed, body]) each?.on('error', () => {});
    progress.upstreamStatus = statusCode;
    if (body === undefined) packed.destroy();
    // Asked again it would be packed again, and paid for again.
    if (body === undefined && statusCode === 200) {
      return failed(progress, {
        class: 'unsupported',
        reason: 'the provider packs its answer in a way that is not known',
      });
    }
    const response = { statusCode, headers, body: body ?? Readable.from([]) };
    if (response.statusCode !== 200) return await readRefusal(attempt, response, progress);
    if (!attempt.call.stream) return await readWhole(attempt.call, response, progress);
    return await readStreamed(attempt, response, progress);
  } catch (error) {
    const endedBy = attempt.limits.endedBy();
    if (endedBy === 'caller') return failed(progress, { class: 'cancelled', reason: 'the request was cancelled' });
    if (endedBy === 'deadline') return broken(progress, 'no whole answer before the deadline');
    if (progress.callerLost) return failed(progress, { class: 'cancelled', reason: 'the caller can’t be reached' });
    return broken(progress, describeError(error));
  }
}

/**
 * undici begins with an iterable body once the connection stands and the headers are written: before that the provider saw
 * nothing. (It reads ahead from a stream, which would tell too early.)
 */
function* trackedBody(payload: Buffer, progress: Progress): Generator<Buffer> {
  progress.reachedUpstream = true;
  yield payload;
}

async function readRefusal(
  { call, limits, missing, clock }: CompletionAttempt,
  response: ProviderAnswer,
  progress: Progress,
): Promise<LaneOutcome> {
  const body = await readText(response.body, ERROR_BODY_LIMIT_BYTES).catch((error: unknown) => {
    if (limits.endedBy() !== undefined) throw error;
    return '';
  });
  const { operation = 'chat', model } = call;
  const { failure, callerAnswer, endpointIsMissing } = classifyResponse({
    operation,
    status: response.statusCode,
    headers: response.headers,
    body,
    now: clock.now(),
  });
  if (endpointIsMissing === true) missing.note(operation, model);
  const outcome = failed(progress, failure);
  return callerAnswer === undefined ? outcome : { ...outcome, callerAnswer };
}

export const operationOf = (call: LaneCall): ProviderOperation => PROVIDER_OPERATIONS[call.operation ?? 'chat'];

async function readWhole(call: LaneCall, response: ProviderAnswer, progress: Progress): Promise<LaneOutcome> {
  const reading = operationOf(call).readWhole(await readText(response.body, ANSWER_LIMIT_BYTES));
  if (!reading.whole) return notWhole(progress, reading);
  const usage = usageAtTier(readUsage(reading.usage), reading.serviceTier, call.body['service_tier']);
  return { ok: true, body: reading.body, usage, ignoredParams: [] };
}

async function readStreamed(
  { call, limits }: CompletionAttempt,
  response: ProviderAnswer,
  progress: Progress,
): Promise<LaneOutcome> {
  let bodyEnd: NodeJS.Timeout | undefined;
  const passOn = async (chunkJson: string): Promise<void> => {
    progress.answerStarted = true;
    try {
      await limits.within(call.onChunk(chunkJson));
    } catch (error) {
      progress.callerLost = true;
      throw error;
    }
  };
  const ending = (): void => {
    bodyEnd = setTimeout(() => response.body.destroy(), BODY_END_WAIT_MS);
  };
  const passUsage = asksForUsage(call.body);
  const contentType = String(response.headers['content-type'] ?? 'text/event-stream').toLowerCase();
  if (contentType.startsWith('application/json')) return streamWhole(call, response, progress, passOn);
  if (!contentType.startsWith('text/event-stream')) {
    response.body.destroy();
    return broken(progress, 'the provider did not stream');
  }
  const end = await operationOf(call)
    .readStream({ body: response.body, passUsage, passOn, ending })
    .finally(() => clearTimeout(bodyEnd));
  if (!end.whole) return notWhole(progress, end);
  const usage = usageAtTier(readUsage(end.usage), end.completion['service_tier'], call.body['service_tier']);
  return { ok: true, body: JSON.stringify(end.completion), usage, ignoredParams: [] };
}

/** Some providers answer a request for a stream with a whole completion: the caller gets it as the chunks that it expects. */
async function streamWhole(
  call: LaneCall,
  response: ProviderAnswer,
  progress: Progress,
  passOn: (chunkJson: string) => Promise<void>,
): Promise<LaneOutcome> {
  const operation = operationOf(call);
  const outcome = await readWhole(call, response, progress);
  if (!outcome.ok) return outcome;
  for (const chunk of operation.chunksOf(outcome.body, asksForUsage(call.body))) await passOn(chunk);
  return outcome;
}

type FailedOutcome = Extract<LaneOutcome, { ok: false }>;

function failed(
  { callerLost: _callerLost, ...progress }: Progress,
  failure: Omit<AttemptFailure, 'answerStarted' | 'reachedUpstream'>,
): FailedOutcome {
  return { ok: false, failure: { ...progress, ...failure } };
}

/** A 200 that is no answer: broken, unless the error in it says something more exact. */
function notWhole(progress: Progress, { reason, inside, begun = false }: NotWhole): FailedOutcome {
  if (inside === undefined) return broken(progress, reason);
  const { failure, callerAnswer } = inside;
  const outcome = failed(progress, { ...failure, ...(begun ? { mayBeBilled: true } : {}) });
  return callerAnswer === undefined ? outcome : { ...outcome, callerAnswer };
}

function broken(progress: Progress, reason: string): FailedOutcome {
  return failed(progress, { class: 'broken', reason });
}
