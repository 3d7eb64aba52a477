/** What a stand-in account does, by script; every field can be changed while it runs. */
export interface AccountScript {
  /** Model calls that are served before the 5-hour window is exhausted; 0: it is exhausted from the start. */
  readonly exhaustAfter?: number | undefined;
  /** How long an exhausted window stays so, counted from the call that exhausted it. Default 1,800. */
  readonly resetsInSeconds?: number | undefined;
  /** Milliseconds before the first byte of each answer. */
  readonly delayMs?: number | undefined;
  /** Magic words without brackets, one for each of the next calls: `['status:500', 'half']`. */
  readonly failNext?: readonly string[] | undefined;
  /** Default `plus`. */
  readonly planType?: string | undefined;
  /** The models that this account may use; default all. */
  readonly models?: readonly string[] | undefined;
  /** Answers 401 to every call; `until-refresh` only with the tokens that were handed out before the script. */
  readonly unauthorized?: boolean | 'until-refresh' | undefined;
  /** The refresh token is refused as used already. */
  readonly refreshFails?: boolean | undefined;
  /** `sse` refuses the WebSocket with 426. Default `websocket`. */
  readonly transport?: 'websocket' | 'sse' | undefined;
  /** Percent used of the 5-hour window where `exhaustAfter` does not say it. Default 12. */
  readonly usedPercent?: number | undefined;
  /** Default 40. */
  readonly weeklyUsedPercent?: number | undefined;
  /** `weekly-only`: the weekly window is the primary one and there is no secondary. */
  readonly windows?: 'both' | 'weekly-only' | undefined;
}

export interface PlanWindow {
  readonly usedPercent: number;
  readonly minutes: number;
  /** Unix seconds. */
  readonly resetsAt: number;
}

export interface PlanState {
  readonly planType: string;
  readonly exhausted: boolean;
  readonly primary: PlanWindow;
  readonly secondary: PlanWindow | undefined;
}

export interface Account {
  readonly alias: string;
  readonly id: string;
  readonly email: string;
  script(): AccountScript;
  /** Changes the named fields only. */
  patch(patch: AccountScript): void;
  /** Takes one call out of the window; false when it is exhausted. */
  admit(): boolean;
  resetWindow(): void;
  plan(): PlanState;
  /** Goes up whenever the tokens handed out so far become worthless. */
  tokenGeneration(): number;
  /** The word that the next call fails with, if the script has one. */
  takeFailure(): string | undefined;
}

const FIVE_HOURS_MINUTES = 300;
const WEEK_MINUTES = 10_080;
const DEFAULT_RESET_SECONDS = 1800;
const WEEK_LEFT_SECONDS = 360_000;

export function createAccount(alias: string, initial: AccountScript): Account {
  let script = initial;
  let served = 0;
  let generation = 0;
  let exhaustedUntilMs: number | undefined;

  const resetWindow = (): void => {
    served = 0;
    exhaustedUntilMs = undefined;
  };
  const resetSeconds = (): number => script.resetsInSeconds ?? DEFAULT_RESET_SECONDS;
  /** Brings the window up to date with the clock and the script. */
  const settle = (): void => {
    const limit = script.exhaustAfter;
    if (exhaustedUntilMs !== undefined && Date.now() >= exhaustedUntilMs) resetWindow();
    if (limit === undefined || served < limit) exhaustedUntilMs = undefined;
    else exhaustedUntilMs ??= Date.now() + resetSeconds() * 1000;
  };

  return {
    alias,
    id: `acct-${alias}`,
    email: `${alias}@example.com`,
    script: () => script,
    patch(patch) {
      if (patch.unauthorized === 'until-refresh') generation += 1;
      script = { ...script, ...patch };
    },
    admit() {
      settle();
      if (exhaustedUntilMs !== undefined) return false;
      served += 1;
      settle();
      return true;
    },
    resetWindow,
    plan() {
      settle();
      const limit = script.exhaustAfter;
      const now = Date.now();
      const short: PlanWindow = {
        usedPercent:
          limit === undefined ? (script.usedPercent ?? 12) : limit === 0 ? 100 : Math.min(100, (served / limit) * 100),
        minutes: FIVE_HOURS_MINUTES,
        resetsAt: Math.ceil((exhaustedUntilMs ?? now + resetSeconds() * 1000) / 1000),
      };
      const weekly: PlanWindow = {
        usedPercent: script.weeklyUsedPercent ?? 40,
        minutes: WEEK_MINUTES,
        resetsAt: Math.ceil(now / 1000) + WEEK_LEFT_SECONDS,
      };
      const exhausted = exhaustedUntilMs !== undefined;
      const planType = script.planType ?? 'plus';
      if (script.windows !== 'weekly-only') return { planType, exhausted, primary: short, secondary: weekly };
      return { planType, exhausted, primary: { ...short, minutes: WEEK_MINUTES }, secondary: undefined };
    },
    tokenGeneration: () => generation,
    takeFailure() {
      const [word, ...rest] = script.failNext ?? [];
      if (word !== undefined) script = { ...script, failNext: rest };
      return word;
    },
  };
}
