import type { TokenUsage } from '../../core/lane-port.ts';
import type { PlannedLane } from '../../core/contracts/lane.ts';
import type { Range } from '../../core/quote/estimate-tokens.ts';
import { outputTokens, type Basis } from '../../core/quote/from-history.ts';
import type { ModelMeasure } from '../../core/quote/measure-lines.ts';
import { costsNoMore } from '../../core/service-tier.ts';
import type { AnswerFacts } from '../../store/lane-log.ts';

/** One model of a quote, with the lanes that would serve its lines. */
export interface QuotedModel {
  readonly model: string;
  readonly lines: number;
  readonly attachments: number;
  readonly promptTokens: Range;
  readonly outputTokens: Range & { readonly basis: Basis };
  /** Millionths of a dollar on the meter; null where no price is known. */
  readonly meterMicros: Range | null;
  readonly planLanes: readonly PlannedLane[];
  readonly keyLanes: readonly PlannedLane[];
}

interface QuoteModelDeps {
  /** The lanes of the model for the key's batch lines. */
  readonly lanes: readonly PlannedLane[];
  /** The key's answers of late. */
  readonly answers: readonly AnswerFacts[];
  /** Null where the price is unknown. */
  readonly costMicros: (model: string, usage: TokenUsage) => number | null;
}

/** Tokens and price of a model's lines: what is measured where there is enough of it, what is assumed elsewhere. */
export function quoteModel(measure: ModelMeasure, { lanes, answers, costMicros }: QuoteModelDeps): QuotedModel {
  const { model, lines, attachments, promptTokens, tiers } = measure;
  const known = answers.flatMap((answer) =>
    answer.model === model && answer.usage !== null ? [answer.usage.completionTokens] : [],
  );
  const output = outputTokens(measure, known);
  // The lanes' own names of the model may be the ones with a price.
  const names = [
    ...lanes.toSorted((a, b) => (a.kind === b.kind ? 0 : a.kind === 'key' ? -1 : 1)).map((lane) => lane.model),
    model,
  ];
  const meter = (end: keyof Range): number | null => {
    // Of the line in the middle: a price may depend on the length of the request.
    const usage: TokenUsage = {
      promptTokens: Math.round(promptTokens[end] / lines),
      cachedPromptTokens: 0,
      completionTokens: Math.round(output[end] / lines),
      reasoningTokens: 0,
    };
    const ofLine = (tier: { readonly serviceTier?: string }): number | null =>
      names.map((name) => costMicros(name, { ...usage, ...tier })).find((micros) => micros !== null) ?? null;
    // As the batch itself counts it.
    const ofTier = (serviceTier: string): number | null =>
      ofLine({ serviceTier }) ?? (costsNoMore(serviceTier) ? ofLine({}) : null);
    const ofTiers = Object.entries(tiers).map(([serviceTier, count]) => ({ count, micros: ofTier(serviceTier) }));
    const usual = lines - ofTiers.reduce((sum, { count }) => sum + count, 0);
    const parts = [...ofTiers, ...(usual > 0 ? [{ count: usual, micros: ofLine({}) }] : [])];
    return parts.reduce<number | null>(
      (sum, { count, micros }) => (sum === null || micros === null ? null : sum + micros * count),
      0,
    );
  };
  const [low, high] = [meter('low'), meter('high')];
  return {
    model,
    lines,
    attachments,
    promptTokens,
    outputTokens: output,
    meterMicros: low === null || high === null ? null : { low, high },
    planLanes: lanes.filter(({ kind }) => kind === 'plan'),
    keyLanes: lanes.filter(({ kind }) => kind === 'key'),
  };
}

/** The sum of ranges; null when one of them is unknown. */
export function sumRanges(ranges: readonly (Range | null)[]): Range | null {
  let sum: Range = { low: 0, high: 0 };
  for (const range of ranges) {
    if (range === null) return null;
    sum = { low: sum.low + range.low, high: sum.high + range.high };
  }
  return sum;
}
