import { MockActivityEnvironment } from '@temporalio/testing';
import { createServeRequest } from '../../activities/serve/serve-request.ts';
import { createSettleFailure } from '../../activities/serve/settle-failure.ts';
import type { ServeRequestInput, ServeResult } from '../../core/contracts/completion.ts';
import { newRequestId } from '../../core/ids.ts';
import type { LaneCall, LaneOutcome } from '../../core/lane-port.ts';
import type { ReplyEvent } from '../../core/reply.ts';
import { textOf } from '../../core/wire/written-text.ts';
import type { Stores } from '../../store/stores.ts';
import { createMovableClock } from './movable-clock.ts';
import { plantLane, silentLog } from './planted.ts';

const LANE = plantLane('a', { kind: 'key' });
export const usage = { promptTokens: 3, cachedPromptTokens: 0, completionTokens: 2, reasoningTokens: 0 };
const clock = createMovableClock();

/** A stored request, the activities over a real database, and a lane that gives one answer. */
export async function setUpRequest(stores: Stores, bodyBytes = 2, written = JSON.stringify('x'.repeat(bodyBytes))) {
  const requestId = newRequestId();
  const sent: ReplyEvent[] = [];
  const calls: string[] = [];
  const world = {
    outcome: (): LaneOutcome => ({ ok: true, body: '{"id":"x"}', usage, ignoredParams: [] }),
    /** What happens while the lane is at work. */
    meanwhile: undefined as ((signal: AbortSignal) => Promise<unknown>) | undefined,
    storeResult: stores.requests.storeResult,
    /** What its owner has set, for as long as the lane is hosted. */
    ownPrice: undefined as number | undefined,
    isHosted: true,
  };
  const texts: (string | undefined)[] = [];
  const replyTo = { processId: 'p', url: 'http://127.0.0.1:1', token: 't' };
  const replies = {
    open: () => ({
      send: async (event: ReplyEvent) => sent.push(event) > 0,
      callerGone: new AbortController().signal,
      close: async () => undefined,
    }),
  };
  const hosted = () => ({
    lane: {
      complete: async ({ requestId: called, body, signal }: LaneCall) => {
        calls.push(called);
        await world.meanwhile?.(signal);
        texts.push(textOf(body));
        return world.outcome();
      },
    },
    availability: () => ({ open: true }) as const,
    acquire: async () => () => undefined,
    reportAnswer: async () => undefined,
    reportFailure: async () => undefined,
    ...(world.ownPrice === undefined ? {} : { costMicros: () => world.ownPrice ?? null }),
  });
  const pace = { noteInteractive: () => undefined };
  const storeResult: typeof world.storeResult = (id, result) => world.storeResult(id, result);
  const requests = { ...stores.requests, storeResult };
  const shared = { ...stores, requests, replies, pace, clock, log: silentLog };
  const host = { find: () => (world.isHosted ? hosted() : undefined) };
  const serveRequest = createServeRequest({ ...shared, host, costMicros: () => 9 });
  const settleFailure = createSettleFailure(shared);
  await stores.requests.insertOnce({
    _id: requestId,
    keyId: 'key_1',
    model: 'm',
    body: written,
    stream: false,
    replyTo,
    createdAt: clock.now(),
    expireAt: clock.now() + 1_000,
    result: null,
  });
  /** @param environment of the delivery, where that is not the first */
  const serve = (
    given: Partial<ServeRequestInput> = {},
    environment = new MockActivityEnvironment(),
  ): Promise<ServeResult> =>
    environment.run(serveRequest, {
      requestId,
      lane: LANE,
      attempt: 1,
      previous: [],
      deadlineAt: clock.now() + 60_000,
      ...given,
    });
  return { requestId, world, sent, calls, texts, serve, settleFailure };
}
