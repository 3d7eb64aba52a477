/** How a model call ended; `open` while it runs. */
export type Outcome =
  | 'open'
  | 'answered'
  | 'limit'
  | 'refused'
  | 'unauthorized'
  | 'cut'
  | 'spoiled'
  /** The caller went away. */
  | 'aborted';

/** One model call, as the stand-in saw it. */
export interface Attempt {
  readonly seq: number;
  /** Unix milliseconds. */
  readonly at: number;
  /** The alias of the account, or the key of an API call. */
  readonly account: string;
  readonly transport: 'websocket' | 'sse' | 'json';
  readonly model: string;
  readonly instructions: string;
  readonly input: unknown;
  readonly tools: unknown;
  /** What the call says of which tool to use; only the stand-in ChatGPT backend keeps it. */
  readonly toolChoice?: unknown;
  readonly parallelToolCalls?: unknown;
  /** The format asked of the answer. */
  readonly text: unknown;
  readonly lastUserText: string;
  /** The `id=…` in the last user text, by which a checker counts attempts of one line. */
  readonly marker: string | undefined;
  readonly status: number;
  readonly outcome: Outcome;
}

export interface Counts {
  readonly calls: number;
  readonly byOutcome: Readonly<Partial<Record<Outcome, number>>>;
  readonly byAccount: Readonly<Record<string, Readonly<Partial<Record<Outcome, number>>>>>;
  readonly byMarker: Readonly<Record<string, { readonly calls: number; readonly answered: number }>>;
  /** The most calls that were open at once, by account. */
  readonly mostOpen: Readonly<Record<string, number>>;
}

type StartedAttempt = Omit<Attempt, 'seq' | 'at' | 'marker' | 'status' | 'outcome'>;
type Tally = Partial<Record<Outcome, number>>;

/** Ends an attempt; a second end of the same attempt is left out. */
export type EndAttempt = (outcome: Exclude<Outcome, 'open'>, status: number) => void;

export interface AttemptLog {
  start(started: StartedAttempt): EndAttempt;
  attempts(): readonly Attempt[];
  counts(): Counts;
  reset(): void;
}

/**
 * Keeps what was asked of a stand-in and how it ended.
 * @param keepBodies false in load runs: only the counts are kept
 */
export function createAttemptLog({ keepBodies }: { readonly keepBodies: boolean }): AttemptLog {
  let seq = 0;
  let kept: Attempt[] = [];
  let accounts = new Map<string, Tally>();
  let markers = new Map<string, { calls: number; answered: number }>();
  let mostOpen = new Map<string, number>();
  // What was open before a reset must not be counted after it.
  let generation = 0;

  return {
    start(started) {
      const born = generation;
      const marker = /\bid=([\w-]+)/.exec(started.lastUserText)?.[1];
      const tally = valueOf(accounts, started.account, (): Tally => ({}));
      const lines = marker === undefined ? undefined : valueOf(markers, marker, () => ({ calls: 0, answered: 0 }));
      if (lines !== undefined) lines.calls += 1;
      add(tally, 'open', 1);
      mostOpen.set(started.account, Math.max(mostOpen.get(started.account) ?? 0, tally.open ?? 0));
      const index = kept.length;
      seq += 1;
      if (keepBodies) kept.push({ ...started, seq, at: Date.now(), marker, status: 0, outcome: 'open' });
      let ended = false;
      return (outcome, status) => {
        if (ended || born !== generation) return;
        ended = true;
        add(tally, 'open', -1);
        add(tally, outcome, 1);
        if (lines !== undefined && outcome === 'answered') lines.answered += 1;
        const attempt = kept[index];
        if (keepBodies && attempt !== undefined) kept[index] = { ...attempt, outcome, status };
      };
    },
    attempts: () => [...kept],
    counts: () => {
      const byOutcome: Tally = {};
      let calls = 0;
      for (const tally of accounts.values()) {
        for (const [outcome, count] of Object.entries(tally) as [Outcome, number][]) {
          add(byOutcome, outcome, count);
          calls += count;
        }
      }
      return {
        calls,
        byOutcome,
        byAccount: Object.fromEntries([...accounts].map(([name, tally]) => [name, { ...tally }])),
        byMarker: Object.fromEntries([...markers].map(([name, lines]) => [name, { ...lines }])),
        mostOpen: Object.fromEntries(mostOpen),
      };
    },
    reset() {
      generation += 1;
      seq = 0;
      kept = [];
      accounts = new Map();
      markers = new Map();
      mostOpen = new Map();
    },
  };
}

function add(tally: Tally, outcome: Outcome, by: number): void {
  tally[outcome] = (tally[outcome] ?? 0) + by;
}

function valueOf<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
