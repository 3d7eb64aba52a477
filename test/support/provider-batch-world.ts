import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { createProviderBatchActivities } from '../../activities/provider-batch/provider-batch-activities.ts';
import { createLineRecorder } from '../../activities/serve/line-recorder.ts';
import { newSpend } from '../../core/contracts/batch-spend.ts';
import type { ProviderBatchRun, ProviderBatchTry } from '../../core/contracts/provider-batch.ts';
import { createLogger } from '../../core/log.ts';
import { createKeyLane, type KeyLane } from '../../lanes/openai/key-lane.ts';
import type { ProviderBatches } from '../../lanes/openai/provider-batches.ts';
import type { HostedLane, ProviderBatchAccess } from '../../lanes/policy/hosted-lane.ts';
import { createPriceList } from '../../lanes/prices/price-list.ts';
import { startOpenaiApi, type OpenaiApi } from '../standins/openai/api.ts';
import { batchLine } from './batch-run.ts';
import { createBatchWorld, OWNER, type BatchWorld } from './batch-world.ts';
import { openTestDatabase, type TestDatabase } from './mongodb.ts';

const MODEL = 'gpt-5.5';
export const LANE = { laneId: 'lane_key', kind: 'key', alias: 'meter', model: MODEL, concurrency: 8 } as const;
const log = createLogger('silent', 'test');
const prices = createPriceList();

type ProviderBatchDeps = Parameters<typeof createProviderBatchActivities>[0];

interface Given extends Partial<Pick<ProviderBatchDeps, 'keepAlive' | 'pause' | 'recorder' | 'signal' | 'spend'>> {
  /** What stands in the place of the provider's own. */
  readonly api?: Partial<ProviderBatches>;
  readonly priceShare?: number | null;
  readonly access?: Partial<ProviderBatchAccess>;
}

interface StartGiven extends Partial<ProviderBatchTry> {
  readonly maxMicros?: number | null;
  readonly endpoint?: '/v1/chat/completions' | '/v1/responses';
}

/** The activities at a provider's Batch API over a real database, and over a stand-in provider that is new for each test of the file. */
export function useProviderBatchWorld() {
  let database: TestDatabase;
  let batches: BatchWorld;
  let provider: OpenaiApi;
  let lane: KeyLane;
  beforeAll(async () => {
    database = await openTestDatabase();
    batches = await createBatchWorld(database);
  });
  afterAll(() => database.release());
  beforeEach(async () => {
    provider = await startOpenaiApi();
    const address = { baseUrl: provider.url, apiKey: provider.key, allowPrivateAddresses: true };
    lane = createKeyLane({ laneId: LANE.laneId, alias: LANE.alias, ...address, clock: batches.clock, log });
  });
  afterEach(async () => {
    await lane.close();
    await provider.close();
  });

  const activities = ({ api, priceShare = 0.5, access, ...given }: Given = {}) => {
    const whileUnderWay = <Result>(run: () => Promise<Result>): Promise<Result> => run();
    const providerBatches = { api: { ...lane.batches, ...api }, priceShare, whileUnderWay, ...access };
    const hosted = { lane, providerBatches };
    return createProviderBatchActivities({
      ...batches,
      spend: batches.batchSpend,
      recorder: createLineRecorder({ ...batches, log }),
      host: { find: (laneId) => (laneId === LANE.laneId ? (hosted as unknown as HostedLane) : undefined) },
      costMicros: prices.costMicros.bind(prices),
      checkIn: () => undefined,
      keepAlive: (run) => run(),
      pause: async () => undefined,
      signal: () => new AbortController().signal,
      log,
      ...given,
    });
  };

  return {
    batches: () => batches,
    provider: () => provider,
    lane: () => lane,
    activities,

    /**
     * A validated batch of lines, of which those that say `other` ask for another model and those that say `priority` for that tier, and
     * its first run.
     */
    async start(
      texts: readonly string[],
      { maxMicros = null, endpoint = '/v1/chat/completions', ...given }: StartGiven = {},
    ): Promise<{ batchId: string; run: ProviderBatchTry }> {
      const lines = texts.map((text, index) => {
        const more = text === 'priority' ? { service_tier: text } : {};
        const line = endpoint === '/v1/responses' ? responsesLine : batchLine;
        return line(`row-${index + 1}`, text === 'other' ? 'gpt-5' : MODEL, text, more);
      });
      const file = await batches.putFile(`${lines.join('\n')}\n`);
      const { _id: batchId } = await batches.putBatch(file._id, { endpoint, spend: newSpend(maxMicros) });
      await batches.validateBatch({ batchId });
      const run = {
        batchId,
        keyId: OWNER,
        lane: LANE,
        model: MODEL,
        firstChunk: 0,
        endChunk: 1,
        takenBackAt: 0,
        attempt: 1,
        ...given,
      };
      return { batchId, run };
    },

    /** @throws Error when it is not sent */
    async sent(run: ProviderBatchTry): Promise<ProviderBatchRun> {
      const submitted = await activities().submitProviderBatch(run);
      if (!submitted.sent) throw new Error(submitted.why);
      return { ...run, providerBatchId: submitted.providerBatchId };
    },
  };
}

function responsesLine(custom_id: string, model: string, input: string, more: object): string {
  return JSON.stringify({ custom_id, method: 'POST', url: '/v1/responses', body: { model, input, ...more } });
}
