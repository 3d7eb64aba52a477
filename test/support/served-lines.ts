import { MockActivityEnvironment } from '@temporalio/testing';
import type { LineEntry } from '../../activities/serve/line-recorder.ts';
import { createServeLines, type ServeLinesDeps } from '../../activities/serve/serve-lines.ts';
import type { LineResult, ServeLinesInput } from '../../core/contracts/batch.ts';
import { newSpend, type BatchSpend } from '../../core/contracts/batch-spend.ts';
import { systemClock } from '../../core/clock.ts';
import { createLogger } from '../../core/log.ts';
import type { LaneCall, LaneOutcome, TokenUsage } from '../../core/lane-port.ts';
import { plantLane } from './planted.ts';

export const usage = { promptTokens: 3, cachedPromptTokens: 0, completionTokens: 2, reasoningTokens: 0 };
export const answered = { ok: true, body: '{"hi":1}', usage, ignoredParams: [] } satisfies LaneOutcome;

/**
 * Lines of one chunk, on a lane that does what the test says of each.
 * @param tier that the second of them asks for
 */
export function setUpLines(
  complete: (call: LaneCall) => Promise<LaneOutcome>,
  delivery = 1,
  spend: Partial<BatchSpend> = {},
  tier?: string,
) {
  const recorded: LineEntry[] = [];
  const called: string[] = [];
  const world = {
    outcomes: [] as number[],
    failRecord: undefined as number | undefined,
    heldBack: undefined as { why: string; until: number } | undefined,
    failHeldBack: false,
    spend: { ...newSpend(null), ...spend },
    settled: [] as { hold: string; held: number; spent: number }[],
    /** Answers that are lost although the database did as it was asked, such as `hold 2`: its second one to that. */
    lost: new Set<string>(),
    ledger: [] as { _id: string; costMicros: number | null }[],
  };
  const rows = [1, 2, 3, 4, 5, 6].map((line) => ({
    line,
    customId: `id-${line}`,
    operation: 'chat',
    body: { model: 'm', line, max_tokens: 1, ...(line === 2 ? { service_tier: tier } : {}) },
    bodyText: '',
  }));
  const asked = { find: 0, hold: 0 };
  const answer = <Answer>(what: keyof typeof asked, value: Answer): Answer => {
    asked[what] += 1;
    if (world.lost.has(`${what} ${asked[what]}`)) throw new Error('the answer is lost');
    return value;
  };
  const deps = {
    clock: systemClock,
    log: createLogger('silent', 'test'),
    chunkReader: { read: async () => rows },
    results: { outcomes: async () => world.outcomes.map((line) => ({ line })) },
    recorder: {
      record: async (_: string, entry: LineEntry) => {
        if (entry.result.line === world.failRecord) throw new Error('the database is away');
        recorded.push(entry);
      },
    },
    heldBack: async () => {
      if (world.failHeldBack) throw new Error('the database is away');
      return world.heldBack;
    },
    batchSpend: {
      find: async () => answer('find', world.spend),
      hold: async (_: string, hold: string, micros: number, aliveAt: number) => {
        if (Object.hasOwn(world.spend.holds, hold)) return answer('hold', true);
        if (world.spend.roomMicros < micros) return answer('hold', false);
        const holds = { ...world.spend.holds, [hold]: micros };
        const roomMicros = world.spend.roomMicros - micros;
        world.spend = { ...world.spend, roomMicros, holds, aliveAt: { ...world.spend.aliveAt, [hold]: aliveAt } };
        return answer('hold', true);
      },
      settle: async (_: string, hold: string, held: number, spent: number) => {
        world.settled.push({ hold, held, spent });
        return true;
      },
    },
    ledger: { listOfItem: async (itemId: string) => world.ledger.filter(({ _id }) => _id.startsWith(itemId)) },
    // Ten for what a line may cost at most, nine for what it does.
    costMicros: (_: string, tokens: TokenUsage | null) =>
      tokens?.serviceTier !== undefined ? null : tokens?.promptTokens === usage.promptTokens ? 9 : 10,
    pace: { turn: async () => undefined },
    host: {
      find: () => ({
        lane: {
          complete: (call: LaneCall) => {
            called.push(call.requestId);
            return complete(call);
          },
        },
        availability: () => ({ open: true }),
        acquire: async () => () => undefined,
        reportAnswer: async () => undefined,
        reportFailure: async () => undefined,
      }),
    },
  } as unknown as ServeLinesDeps;
  const environment = new MockActivityEnvironment({ attempt: delivery });
  const run = (given: Partial<ServeLinesInput> = {}): Promise<LineResult[]> =>
    environment.run(createServeLines(deps), {
      batchId: 'batch_a',
      keyId: 'key_1',
      chunkIndex: 0,
      lane: plantLane('k', { kind: 'key' }),
      lines: [1, 2, 3].map((line) => ({ line, attempt: 1, previous: [] })),
      expiresAt: Date.now() + 60_000,
      ...given,
    });
  return { world, recorded, called, run, environment };
}
