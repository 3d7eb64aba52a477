import type { Clock } from '../../core/clock.ts';
import { newQuoteId } from '../../core/ids.ts';
import { expectEnd, percentOf } from '../../core/quote/expect-end.ts';
import type { Range } from '../../core/quote/estimate-tokens.ts';
import { operationOfEndpoint } from '../../core/wire/batch-endpoints.ts';
import type { BatchCreate } from '../../core/wire/batch-create.ts';
import { toPercentRange, toSeconds, toUsdRange, toWholeRange } from '../../core/wire/batch-quote.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';
import { ownPriceList } from '../../lanes/prices/lane-prices.ts';
import type { LaneLogStore } from '../../store/lane-log.ts';
import type { LaneStore } from '../../store/lanes.ts';
import type { WindowSampleStore } from '../../store/window-samples.ts';
import type { Caller } from '../plugins/authenticate.ts';
import type { MeasuredFile } from './measure-file.ts';
import { quoteKeyLane, quotePlanLane, timesOf, type QuotedPlanLane } from './quote-lanes.ts';
import { quoteModel, sumRanges, type QuotedModel } from './quote-models.ts';

/** What is older than a fortnight was another model, another plan, another kind of file. */
const HISTORY_MS = 14 * 24 * 3_600_000;

/** Entries of history that are looked at: enough for a mean, and read in well under a second. */
const MOST_ANSWERS = 2_000;
const MOST_SERVED = 20_000;
const MOST_SAMPLES = 10_000;

/** OpenAI's Batch API takes half. */
const BATCH_API_SHARE = 0.5;

const NOTES = [
  'Input tokens are estimated from characters, without a tokenizer. Prose, code and rows lie within the range; hashes and base64 may take more.',
  'The price on the meter counts no cached input; the price of the Batch API is half of it.',
  'Shares of windows and the expected end are planning estimates. Other work on the same lanes comes on top.',
];

export interface MakeQuoteDeps {
  readonly directory: Pick<LaneDirectory, 'plan'>;
  readonly lanes: Pick<LaneStore, 'list'>;
  readonly laneLog: Pick<LaneLogStore, 'answersOf' | 'servedBy'>;
  readonly windowSamples: Pick<WindowSampleStore, 'list'>;
  readonly clock: Clock;
}

/** Works out what a measured file will take: tokens, money, shares of the plans, and until when. */
export function createMakeQuote({ directory, lanes, laneLog, windowSamples, clock }: MakeQuoteDeps) {
  const historyOf = async (laneId: string, since: number) => ({
    samples: await windowSamples.list({ laneId, since, limit: MOST_SAMPLES }),
    served: await laneLog.servedBy(laneId, since, MOST_SERVED),
  });

  return async function makeQuote(create: BatchCreate, file: MeasuredFile, caller: Caller) {
    const now = clock.now();
    const since = now - HISTORY_MS;
    const deadline = now + create.windowMs;
    const [docs, answers] = await Promise.all([lanes.list(), laneLog.answersOf(caller.keyId, since, MOST_ANSWERS)]);
    const docOf = new Map(docs.map((doc) => [doc._id, doc]));
    const prices = ownPriceList(docs.flatMap(({ keySettings }) => keySettings?.prices ?? []));
    const isEmbedding = operationOfEndpoint(create.endpoint) === 'embeddings';

    const { planLanes: mayUsePlans, metered } = caller;
    // As the batch itself will be planned: it decides on metered spend by naming its limit.
    const allowMetered = create.wishes.maxMicros !== null;
    const permissions = { planLanes: mayUsePlans, metered, allowMetered, purpose: 'batch' } as const;
    const models: (QuotedModel & { readonly served: boolean })[] = [];
    for (const measure of file.models) {
      const plan = await directory.plan(measure.model, permissions);
      const open = plan.known ? plan.lanes.filter(({ kind }) => kind === 'key' || !isEmbedding) : [];
      const quoted = quoteModel(measure, {
        lanes: open,
        answers,
        costMicros: (name, usage) => prices.costMicros(name, usage),
      });
      models.push({ ...quoted, served: open.length > 0 || (plan.known && !plan.forbidden) });
    }

    // Lines that a plan may serve go there; the rest goes to keys from the start.
    const onPlan = poolOf(models.filter(({ planLanes }) => planLanes.length > 0));
    const onKeys = poolOf(models.filter((model) => model.planLanes.length === 0 && model.keyLanes.length > 0));
    const timed = (laneId: string, perLine: Range) => timesOf(laneId, perLine, answers);
    const planLanes: QuotedPlanLane[] = [];
    for (const planned of onPlan.planLanes) {
      const doc = docOf.get(planned.laneId);
      if (doc === undefined) continue;
      const history = await historyOf(planned.laneId, since);
      planLanes.push(quotePlanLane(planned, doc, timed(planned.laneId, onPlan.perLine), history));
    }
    const keyLanes = onKeys.keyLanes.map((lane) => quoteKeyLane(lane, timed(lane.laneId, onKeys.perLine)));
    const planEnd = expectEnd(onPlan.lines, onPlan.lineMicros, planLanes, now, deadline);
    const keyEnd = expectEnd(onKeys.lines, onKeys.lineMicros, keyLanes, now, deadline);
    const earliest = latestOf(planEnd.earliest, keyEnd.earliest);
    const latest = latestOf(planEnd.latest, keyEnd.latest);
    const bases = [...onPlan.planLanes, ...onKeys.keyLanes].map(
      ({ laneId }) => timed(laneId, onPlan.lines > 0 ? onPlan.perLine : onKeys.perLine).basis,
    );

    const meter = sumRanges(models.map(({ meterMicros }) => meterMicros));
    return {
      id: newQuoteId(),
      object: 'batch.quote' as const,
      created_at: toSeconds(now),
      input_file_id: create.inputFileId,
      endpoint: create.endpoint,
      completion_window: create.completionWindow,
      lines: {
        total: models.reduce((sum, { lines }) => sum + lines, file.invalid),
        invalid: file.invalid,
        first_invalid: file.firstInvalid,
      },
      input_tokens: toWholeRange(sumRanges(models.map(({ promptTokens }) => promptTokens)) ?? NOTHING),
      output_tokens: toWholeRange(sumRanges(models.map(({ outputTokens }) => outputTokens)) ?? NOTHING),
      meter_usd: toUsdRange(meter),
      batch_api_usd: toUsdRange(meter, BATCH_API_SHARE),
      models: models.map((model) => ({
        model: model.model,
        lines: model.lines,
        served: model.served,
        attachments: model.attachments,
        input_tokens: { ...toWholeRange(model.promptTokens), basis: 'estimated' as const },
        output_tokens: { ...toWholeRange(model.outputTokens), basis: model.outputTokens.basis },
        meter_usd: toUsdRange(model.meterMicros),
        batch_api_usd: toUsdRange(model.meterMicros, BATCH_API_SHARE),
        plan_lanes: model.planLanes.map(({ alias }) => alias),
        key_lanes: model.keyLanes.map(({ alias }) => alias),
      })),
      /** Of each account: what the lines that a plan may serve would take of it, if it served all of them. */
      accounts: planLanes.map(({ planned, planType, windows }) => ({
        lane: planned.laneId,
        account: planned.alias,
        plan: planType,
        windows: windows.map(({ name, usedPercent, resetsAt, reservePercent, worth }) => ({
          name,
          used_percent: usedPercent,
          reserved_percent: reservePercent,
          resets_at: toSeconds(resetsAt),
          share_percent: toPercentRange(percentOf(worth, onPlan.micros)),
          basis: worth?.basis ?? null,
        })),
      })),
      expected: {
        earliest_end: toSeconds(earliest),
        latest_end: toSeconds(latest),
        deadline: toSeconds(deadline),
        fits: fits(earliest, latest, deadline),
        basis:
          bases.length > 0 && bases.every((basis) => basis === 'measured')
            ? ('measured' as const)
            : ('assumed' as const),
        /** What the plans have not served by the deadline; it goes to these key lanes before, within the consent, or expires. */
        spill: {
          lines: planEnd.leftLow === null ? null : { low: planEnd.leftLow, high: planEnd.leftHigh },
          meter_usd: toUsdRange(spillMicros(planEnd, onPlan.lineMicros)),
          to: [...new Set(onPlan.keyLanes.map(({ alias }) => alias))],
        },
      },
      notes: NOTES,
    };
  };
}

export type BatchQuote = Awaited<ReturnType<ReturnType<typeof createMakeQuote>>>;

const NOTHING: Range = { low: 0, high: 0 };

/** Models whose lines go the same way, as one. */
function poolOf(models: readonly QuotedModel[]) {
  const lines = models.reduce((sum, model) => sum + model.lines, 0);
  const micros = sumRanges(models.map(({ meterMicros }) => meterMicros));
  const output = sumRanges(models.map(({ outputTokens }) => outputTokens)) ?? NOTHING;
  const each = (range: Range): Range => ({
    low: range.low / Math.max(1, lines),
    high: range.high / Math.max(1, lines),
  });
  const byId = (kind: 'planLanes' | 'keyLanes') => [
    ...new Map(models.flatMap((model) => model[kind]).map((lane) => [lane.laneId, lane])).values(),
  ];
  return {
    lines,
    micros,
    lineMicros: micros === null ? null : each(micros),
    perLine: each(output),
    planLanes: byId('planLanes'),
    keyLanes: byId('keyLanes'),
  };
}

function latestOf(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : Math.max(one, other);
}

/** True or false where both ends agree, null where it depends. */
function fits(earliest: number | null, latest: number | null, deadline: number): boolean | null {
  if (earliest === null || earliest > deadline) return false;
  return latest !== null && latest <= deadline ? true : null;
}

function spillMicros(
  { leftLow, leftHigh }: { leftLow: number | null; leftHigh: number | null },
  lineMicros: Range | null,
): Range | null {
  if (lineMicros === null || leftLow === null || leftHigh === null) return null;
  return { low: leftLow * lineMicros.low, high: leftHigh * lineMicros.high };
}
