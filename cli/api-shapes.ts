import { z } from 'zod';

/** What the command line reads of the public API's answers. Times are Unix seconds; fields that it does not know are let be. */

export const batchAnswer = z.looseObject({
  id: z.string(),
  object: z.literal('batch'),
  status: z.string(),
  endpoint: z.string(),
  model: z.string().nullish(),
  input_file_id: z.string(),
  output_file_id: z.string().nullish(),
  error_file_id: z.string().nullish(),
  created_at: z.number(),
  expires_at: z.number().nullish(),
  request_counts: z.looseObject({ total: z.number(), completed: z.number(), failed: z.number() }),
  errors: z
    .looseObject({
      data: z.array(z.looseObject({ code: z.string(), message: z.string(), line: z.number().nullish() })),
    })
    .nullish(),
});

export const batchList = z.looseObject({
  object: z.literal('list'),
  data: z.array(batchAnswer),
  has_more: z.boolean(),
});

export const fileAnswer = z.looseObject({ id: z.string(), object: z.literal('file') });

const money = { cost_usd: z.number().nullable(), meter_usd: z.number().nullable() };

export const progressAnswer = z.looseObject({
  object: z.literal('batch.progress'),
  batch_id: z.string(),
  status: z.string(),
  lines: z.looseObject({ total: z.number(), completed: z.number(), failed: z.number(), waiting: z.number() }),
  by_lane: z.array(
    z.looseObject({
      lane: z.string().nullable(),
      account: z.string().nullable(),
      completed: z.number(),
      failed: z.number(),
      ...money,
    }),
  ),
  rate_per_second: z.number().nullable(),
  expected_end: z.number().nullable(),
  waiting_until: z.number().nullable(),
  waiting_why: z.string().nullable(),
  paused: z.boolean(),
  priority: z.string(),
  ...money,
});

const whyShape = z.looseObject({ code: z.string().nullish(), message: z.string() });

/** A line of results that has no answer: refused on its way, or by its lane. */
export const failedResult = z.looseObject({
  custom_id: z.string(),
  response: z.looseObject({ body: z.looseObject({ error: whyShape.nullish() }) }).nullish(),
  error: whyShape.nullish(),
});

export const controlAnswer = z.looseObject({ paused: z.boolean(), priority: z.string() });

const rangeShape = z.looseObject({ low: z.number(), high: z.number().nullable() });

export const quoteAnswer = z.looseObject({
  id: z.string(),
  object: z.literal('batch.quote'),
  created_at: z.number(),
  input_file_id: z.string(),
  lines: z.looseObject({
    total: z.number(),
    invalid: z.number(),
    first_invalid: z.looseObject({ line: z.number().nullable(), code: z.string(), message: z.string() }).nullable(),
  }),
  input_tokens: rangeShape,
  output_tokens: rangeShape,
  meter_usd: rangeShape.nullable(),
  models: z.array(
    z.looseObject({
      model: z.string(),
      lines: z.number(),
      served: z.boolean(),
      input_tokens: rangeShape,
      output_tokens: rangeShape.extend({ basis: z.string() }),
      meter_usd: rangeShape.nullable(),
      batch_api_usd: rangeShape.nullable(),
      plan_lanes: z.array(z.string()),
      key_lanes: z.array(z.string()),
    }),
  ),
  accounts: z.array(
    z.looseObject({
      account: z.string(),
      windows: z.array(
        z.looseObject({
          name: z.string(),
          used_percent: z.number(),
          share_percent: rangeShape.nullable(),
          basis: z.string().nullable(),
        }),
      ),
    }),
  ),
  expected: z.looseObject({
    earliest_end: z.number().nullable(),
    latest_end: z.number().nullable(),
    fits: z.boolean().nullable(),
    basis: z.string(),
    spill: z.looseObject({
      lines: rangeShape.nullable(),
      meter_usd: rangeShape.nullable(),
      to: z.array(z.string()),
    }),
  }),
  notes: z.array(z.string()),
});

export const comparisonAnswer = z.looseObject({
  object: z.literal('batch.quote_comparison'),
  quote: quoteAnswer.nullable(),
  actual: z.looseObject({
    status: z.string(),
    is_final: z.boolean(),
    lines: z.looseObject({ completed: z.number(), failed: z.number() }),
    input_tokens: z.number(),
    output_tokens: z.number(),
    duration_seconds: z.number(),
    ...money,
  }),
});

export type QuoteRange = { readonly low: number; readonly high: number | null };
export type Quote = z.infer<typeof quoteAnswer>;
export type Comparison = z.infer<typeof comparisonAnswer>;
export type Batch = z.infer<typeof batchAnswer>;
export type Progress = z.infer<typeof progressAnswer>;
