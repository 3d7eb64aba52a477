import type { Operation } from '../lane-port.ts';
import { unlistedTier } from '../service-tier.ts';
import { estimatePrompt, outputLimit, type Range } from './estimate-tokens.ts';

/** Lines of one model, added up. */
export interface ModelMeasure {
  readonly model: string;
  readonly lines: number;
  readonly promptTokens: Range;
  readonly attachments: number;
  /** Lines that limit their answer, and the sum of their limits. */
  readonly limitedLines: number;
  readonly limitTokens: number;
  /** Lines that ask for a tier with a price of its own, by its name. */
  readonly tiers: Readonly<Record<string, number>>;
}

/** Adds lines up by model, and keeps nothing of a line. */
export interface LineMeasure {
  add(model: string, body: Readonly<Record<string, unknown>>): void;
  /** Most lines first. */
  models(): ModelMeasure[];
}

export function createLineMeasure(operation: Operation): LineMeasure {
  const byModel = new Map<string, ModelMeasure>();
  return {
    add(model, body) {
      const known = byModel.get(model);
      const { tokens, attachments } = estimatePrompt(operation, body);
      const limit = outputLimit(operation, body);
      const tier = unlistedTier(body['service_tier']);
      const tiers = known?.tiers ?? {};
      byModel.set(model, {
        model,
        lines: (known?.lines ?? 0) + 1,
        promptTokens: {
          low: (known?.promptTokens.low ?? 0) + tokens.low,
          high: (known?.promptTokens.high ?? 0) + tokens.high,
        },
        attachments: (known?.attachments ?? 0) + attachments,
        limitedLines: (known?.limitedLines ?? 0) + (limit === null ? 0 : 1),
        limitTokens: (known?.limitTokens ?? 0) + (limit ?? 0),
        tiers: tier === undefined ? tiers : withOneMore(tiers, tier),
      });
    },
    models: () => [...byModel.values()].toSorted((a, b) => b.lines - a.lines),
  };
}

/** Providers have a handful of tiers. A file that names more of them must not make the measure slow: those count as one. */
const MOST_TIERS = 10;

function withOneMore(tiers: ModelMeasure['tiers'], tier: string): ModelMeasure['tiers'] {
  const name = Object.hasOwn(tiers, tier) || Object.keys(tiers).length < MOST_TIERS ? tier : 'another';
  return { ...tiers, [name]: (Object.hasOwn(tiers, name) ? (tiers[name] ?? 0) : 0) + 1 };
}
