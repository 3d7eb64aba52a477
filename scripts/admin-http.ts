import { setTimeout as sleep } from 'node:timers/promises';

/** An account as the admin routes show it, as far as scripts need it. */
export interface AccountShown {
  readonly id: string;
  readonly alias: string;
  readonly state: string;
  readonly why: string | null;
  readonly models: readonly string[];
  readonly login: { readonly verificationUrl: string; readonly userCode: string; readonly expiresAt: number } | null;
}

export interface LaneTotalsShown {
  readonly laneId: string | null;
  readonly entries: number;
  readonly costMicros: number;
  readonly meterMicros: number;
  readonly unmetered: number;
}

/** An entry of the lane log, as far as scripts show it. */
export interface LogEntryShown {
  readonly id: string;
  readonly laneId: string | null;
  readonly attempts: readonly { readonly laneId: string; readonly outcome: string; readonly durationMs: number }[];
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number } | null;
  readonly costMicros: number | null;
  readonly meterMicros: number | null;
}

/** The admin routes over HTTP, for scripts and tests: what `flatlane …` does, without a terminal. */
export function createAdminHttp(adminUrl: string, adminKey: string) {
  const call = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(new URL(path, adminUrl), {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as Answer;
  };

  const waitForAccount = async (
    id: string,
    until: (account: AccountShown) => boolean,
    limitMs: number,
  ): Promise<AccountShown> => {
    const givesUpAt = performance.now() + limitMs;
    for (;;) {
      const { account } = await call<{ account: AccountShown }>('GET', `/admin/accounts/${id}`);
      if (until(account)) return account;
      if (performance.now() > givesUpAt) {
        throw new Error(
          `Account ${account.alias} is ${account.state} (${account.why ?? 'no reason'}) after ${limitMs} ms.`,
        );
      }
      await sleep(100);
    }
  };

  return {
    call,
    waitForAccount,
    /** Adds an account and signs it in: `approve` is what its owner does in the browser. */
    async addAccount(alias: string, approve: (userCode: string) => void, limitMs = 60_000): Promise<AccountShown> {
      // Scripts and tests add several on purpose.
      const { account } = await call<{ account: AccountShown }>('POST', '/admin/accounts', {
        alias,
        acknowledge: true,
      });
      const waiting = await waitForAccount(
        account.id,
        ({ login, state }) => login !== null || state === 'ready',
        limitMs,
      );
      if (waiting.login !== null) approve(waiting.login.userCode);
      return waitForAccount(account.id, ({ state }) => state === 'ready', limitMs);
    },
    async addKeyLane(lane: {
      alias: string;
      baseUrl: string;
      apiKey: string;
      models?: readonly string[];
      concurrency?: number;
    }): Promise<string> {
      const added = await call<{ lane: { id: string } }>('POST', '/admin/key-lanes', {
        ...lane,
        allowPrivateAddresses: true,
      });
      return added.lane.id;
    },
    setRoute: (model: string, laneIds: readonly string[]) =>
      call('PUT', `/admin/routes/${model}`, { lanes: laneIds.map((laneId) => ({ laneId })) }),
    async createKey(name: string, planLanes: boolean): Promise<string> {
      return (await call<{ secret: string }>('POST', '/admin/keys', { name, planLanes })).secret;
    },
    /** The lane log of a batch of up to 1,000 lines, in the order of its lines. */
    async logOfBatch(batchId: string): Promise<LogEntryShown[]> {
      const { data } = await call<{ data: LogEntryShown[] }>('GET', `/admin/logs?batch=${batchId}&limit=1000`);
      return data.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    },
    async lanesOfBatch(batchId: string): Promise<LaneTotalsShown[]> {
      return (await call<{ data: LaneTotalsShown[] }>('GET', `/admin/batches/${batchId}/lanes`)).data;
    },
  };
}

export type AdminHttp = ReturnType<typeof createAdminHttp>;
