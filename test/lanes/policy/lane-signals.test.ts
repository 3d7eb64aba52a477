import { describe, expect, it } from 'vitest';
import { failureAnswer } from '../../../core/failure-answer.ts';
import { decide } from '../../../core/contracts/decide.ts';
import type { AttemptFailure } from '../../../core/contracts/failure.ts';
import type { LaneKind } from '../../../core/contracts/lane.ts';
import { SAME_LANE_RETRY_MS } from '../../../core/contracts/timings.ts';
import { classifyTurnError } from '../../../lanes/codex/classify-failure.ts';
import { classifyResponse } from '../../../lanes/openai/classify-response.ts';
import { laneEffect, NO_FAILURES } from '../../../lanes/policy/lane-effect.ts';
import {
  KEY_SIGNALS,
  PLAN_SIGNALS,
  type KeySignalRow,
  type PlanSignalRow,
  type SignalRow,
} from '../../support/lane-signals.ts';
import { plantFailure } from '../../support/planted.ts';

const NOW = 1_700_000_000_000;

/** The failure, as many times in a row as it takes, and what the lane is then. */
function expectLane(kind: LaneKind, failure: AttemptFailure, { lane }: SignalRow): void {
  let memory = NO_FAILURES;
  const states: (string | undefined)[] = [];
  for (let time = 0; time < (lane?.after ?? 20); time += 1) {
    const effect = laneEffect(kind, failure, memory, NOW + time, 1);
    ({ memory } = effect);
    states.push(effect.change?.to);
  }
  expect(states.slice(0, -1).every((state) => state === undefined)).toBe(true);
  expect(states.at(-1)).toBe(lane?.to);
}

function expectRequest(failure: AttemptFailure, { request }: SignalRow): void {
  expect([1, 2].map((triesOnLane) => decide({ failure, triesOnLane, now: NOW }).act)).toEqual(request);
  const started = { ...failure, answerStarted: true };
  expect(decide({ failure: started, triesOnLane: 1, now: NOW }).act).toBe('fail');
}

const failureOf = (row: SignalRow, more: Partial<AttemptFailure> = {}): AttemptFailure => plantFailure(row.class, more);

describe.each(Object.entries<PlanSignalRow>(PLAN_SIGNALS))('on a plan lane, %s', (_, row) => {
  it(`is ${row.class}`, () => {
    if (row.error === undefined) return expect(row.class).toMatch(/broken|process_lost|overloaded/);
    const [name, httpStatus] = row.error;
    const text = 'Try again at 3:14 PM. See https://chatgpt.example';
    const failure = classifyTurnError({ name, text, ...(httpStatus === undefined ? {} : { httpStatus }) });
    expect(failure.class).toBe(row.class);
    expect(JSON.stringify([failure.reason, failure.callerError?.body])).not.toMatch(/3:14|https/);
  });

  it(row.lane === null ? 'does nothing to the lane' : `makes it ${row.lane.to} at number ${row.lane.after}`, () => {
    expectLane('plan', failureOf(row), row);
  });

  it(`means ${row.request.join(', then ')} for the request`, () => expectRequest(failureOf(row), row));

  it(`is told as ${row.caller[0]} when no other lane serves`, () => {
    const [name = '', httpStatus] = row.error ?? [];
    const own = classifyTurnError({ name, text: '', ...(httpStatus === undefined ? {} : { httpStatus }) }).callerError;
    const answer = own ?? failureAnswer(row.class, undefined);
    expect([answer.status, answer.body.error.code]).toEqual(row.caller);
  });
});

describe.each(Object.entries<KeySignalRow>(KEY_SIGNALS))('on a key lane, %s', (_, row) => {
  const classified = (): AttemptFailure => {
    if (row.response === undefined) return failureOf(row);
    const { status, headers = {}, error } = row.response;
    const body = error === undefined ? '' : JSON.stringify({ error });
    const { failure, callerAnswer } = classifyResponse({ status, headers, body, now: NOW });
    // The provider's own body for the caller's own fault, and for nothing else.
    expect(callerAnswer).toEqual(row.class === 'caller_fault' ? { status, body } : undefined);
    return { ...failure, answerStarted: false, reachedUpstream: true };
  };

  it(`is ${row.class}`, () => expect(classified().class).toBe(row.class));

  it(row.lane === null ? 'does nothing to the lane' : `makes it ${row.lane.to} at number ${row.lane.after}`, () => {
    expectLane('key', classified(), row);
  });

  it(`means ${row.request.join(', then ')} for the request`, () => expectRequest(classified(), row));
});

describe('the wait before the same lane again', () => {
  it.each([
    { response: { 'retry-after-ms': '400' }, waitMs: 400 },
    { response: { 'retry-after': '2' }, waitMs: 2_000 },
    { response: {}, waitMs: SAME_LANE_RETRY_MS },
  ])('is $waitMs ms after $response', ({ response, waitMs }) => {
    const { failure } = classifyResponse({ status: 429, headers: response, body: '', now: NOW });
    const context = { ...failure, answerStarted: false, reachedUpstream: true };
    expect(decide({ failure: context, triesOnLane: 1, now: NOW })).toEqual({ act: 'again', afterMs: waitMs });
  });
});
