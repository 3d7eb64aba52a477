import { z } from 'zod';
import { readPlanWindows, type PlanWindows } from './plan-windows.ts';
import type { RpcClient } from './rpc-client.ts';

/** The ChatGPT account that a CODEX_HOME is signed in to. */
export interface SignedInAccount {
  readonly email: string | null;
  readonly planType: string;
}

export interface PlanModel {
  readonly slug: string;
  /** Left out of the CLI's own picker; served when it is asked for by name. */
  readonly hidden: boolean;
  readonly efforts: readonly string[];
}

/** Long enough for a token refresh over a slow network. */
const NETWORK_CALL_TIMEOUT_MS = 30_000;

const accountSchema = z.object({
  account: z.looseObject({ type: z.string(), email: z.string().nullish(), planType: z.string().nullish() }).nullable(),
});

/**
 * Who is signed in; null for nobody. An API key in the CLI's folder counts as nobody: it would be billed by the token.
 * @param refreshToken asks for fresh tokens first, which fails if the sign-in is not valid any more
 * @throws RpcError
 */
export async function readAccount(rpc: RpcClient, refreshToken = false): Promise<SignedInAccount | null> {
  const answer = await rpc.call('account/read', { refreshToken }, NETWORK_CALL_TIMEOUT_MS);
  const { account } = accountSchema.parse(answer);
  if (account === null || account.type !== 'chatgpt') return null;
  return { email: account.email ?? null, planType: account.planType ?? 'unknown' };
}

/** The plan's windows, fresh from the backend. @throws RpcError */
export async function readWindows(rpc: RpcClient): Promise<PlanWindows> {
  const answer = await rpc.call(
    'account/rateLimits/read',
    { excludeResetCreditDetails: true },
    NETWORK_CALL_TIMEOUT_MS,
  );
  return readPlanWindows(answer);
}

/**
 * Ends the sign-in of this home: the CLI takes its tokens back at OpenAI as far as it can, and deletes them here.
 * Other machines and browsers stay signed in. @throws RpcError
 */
export async function signOut(rpc: RpcClient): Promise<void> {
  await rpc.call('account/logout', {}, NETWORK_CALL_TIMEOUT_MS);
}

const modelPage = z.object({
  data: z.array(
    z.object({
      model: z.string(),
      hidden: z.boolean(),
      supportedReasoningEfforts: z.array(z.object({ reasoningEffort: z.string() })),
    }),
  ),
  nextCursor: z.string().nullable(),
});

/** More pages than any catalogue has: an answer that never ends must not hold up a start. */
const MAX_MODEL_PAGES = 20;

/** All models of the catalogue. @throws RpcError */
export async function readModels(rpc: RpcClient): Promise<readonly PlanModel[]> {
  const models: PlanModel[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < MAX_MODEL_PAGES; page += 1) {
    const { data, nextCursor }: z.infer<typeof modelPage> = modelPage.parse(
      await rpc.call('model/list', { includeHidden: true, limit: 100, cursor }, NETWORK_CALL_TIMEOUT_MS),
    );
    for (const { model, hidden, supportedReasoningEfforts } of data) {
      models.push({ slug: model, hidden, efforts: supportedReasoningEfforts.map((option) => option.reasoningEffort) });
    }
    if (nextCursor === null) break;
    cursor = nextCursor;
  }
  return models;
}
