import { z } from 'zod';

/** What the command line reads of the admin API's answers. Times are Unix milliseconds; fields that it does not know are let be. */

const laneShape = z.looseObject({
  id: z.string(),
  alias: z.string(),
  kind: z.enum(['plan', 'key']),
  state: z.string(),
  why: z.string().nullish(),
  coolingUntil: z.number().nullish(),
  concurrency: z.number(),
  models: z.array(z.string()).default([]),
  baseUrl: z.string().nullish(),
  hold: z.enum(['none', 'paused', 'draining', 'removing']).nullish(),
});

const accountShape = laneShape.extend({
  email: z.string().nullish(),
  planType: z.string().nullish(),
  weeklyReservePercent: z.number().nullish(),
  windows: z
    .array(z.looseObject({ name: z.string(), usedPercent: z.number(), resetsAt: z.number().nullish() }))
    .default([]),
  login: z.looseObject({ verificationUrl: z.string(), userCode: z.string(), expiresAt: z.number() }).nullish(),
});

const routeShape = z.looseObject({
  model: z.string(),
  lanes: z.array(
    z.looseObject({
      laneId: z.string(),
      model: z.string().nullish(),
      rung: z.number().nullish(),
      weight: z.number().nullish(),
    }),
  ),
  direct: z.boolean().nullish(),
  metered: z.string().nullish(),
});

const keyShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  planLanes: z.boolean(),
  metered: z.string().default('auto'),
  admin: z.boolean().default(false),
  createdAt: z.number(),
  revokedAt: z.number().nullish(),
  revokedBatches: z.string().nullish(),
});

const logEntryShape = z.looseObject({
  id: z.string(),
  model: z.string(),
  status: z.string(),
  httpStatus: z.number().nullish(),
  laneAlias: z.string().nullish(),
  attempts: z.array(z.looseObject({ outcome: z.string() })).default([]),
  usage: z.looseObject({ promptTokens: z.number(), completionTokens: z.number() }).nullish(),
  costMicros: z.number().nullish(),
  meterMicros: z.number().nullish(),
  at: z.number(),
});

const attemptShape = z.looseObject({
  type: z.string(),
  dataId: z.string(),
  attempt: z.number(),
  at: z.number(),
  durationMs: z.number(),
  outcome: z.string(),
  status: z.number().nullish(),
  why: z.string().nullish(),
});

const webhookShape = z.looseObject({
  id: z.string(),
  keyId: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  enabled: z.boolean(),
  why: z.string().nullish(),
  previousSecretUntil: z.number().nullish(),
  lastAttempt: attemptShape.nullish(),
});

export const accountAnswer = z.looseObject({ account: accountShape });
export const accountList = z.looseObject({ data: z.array(accountShape) });
export const checkAnswer = z.looseObject({ account: accountShape, checked: z.boolean() });
export const signOutAnswer = z.looseObject({
  signedOut: z.boolean(),
  everywhere: z.looseObject({ how: z.string() }).nullable(),
});
export const removalAnswer = z.looseObject({ deleted: z.boolean() });
export const windowSampleList = z.looseObject({
  data: z.array(
    z.looseObject({ window: z.string(), usedPercent: z.number(), resetsAt: z.number().nullish(), at: z.number() }),
  ),
});
export const laneAnswer = z.looseObject({ lane: laneShape });
export const laneList = z.looseObject({ data: z.array(laneShape) });
export const routeList = z.looseObject({ data: z.array(routeShape) });
export const keyAnswer = z.looseObject({ key: keyShape });
export const revokedKeyAnswer = z.looseObject({ key: keyShape, cancelledBatches: z.number().nullish() });
export const cancelledBatchAnswer = z.looseObject({
  keyId: z.string(),
  batch: z.looseObject({ id: z.string(), status: z.string() }),
});
export const newKeyAnswer = z.looseObject({ key: keyShape, secret: z.string() });
export const keyList = z.looseObject({ data: z.array(keyShape) });
export const logList = z.looseObject({ data: z.array(logEntryShape) });
export const webhookAnswer = z.looseObject({ webhook: webhookShape });
export const newWebhookAnswer = z.looseObject({ webhook: webhookShape, secret: z.string() });
export const webhookList = z.looseObject({ data: z.array(webhookShape) });
export const webhookTestAnswer = z.looseObject({
  outcome: z.string(),
  status: z.number().nullish(),
  durationMs: z.number(),
  why: z.string().nullish(),
});
export const attemptList = z.looseObject({ data: z.array(attemptShape) });
/** An answer of which only the success matters. */
export const anyAnswer = z.unknown();

export type Account = z.infer<typeof accountShape>;
export type LaneView = z.infer<typeof laneShape>;
