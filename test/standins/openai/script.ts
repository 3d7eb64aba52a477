/** What the stand-in OpenAI API does, by script; every field can be changed while it runs. */
export interface OpenaiScript {
  /** Milliseconds before the first byte of each answer. */
  readonly delayMs?: number | undefined;
  /** Magic words without brackets, one for each of the next calls: `['status:500', 'half']`. */
  readonly failNext?: readonly string[] | undefined;
  /** Calls that are served before `insufficient_quota`, counted from the start and from each change of it. */
  readonly quota?: number | undefined;
  /** The models that there are; others are a 404. Default: every model exists, and two are listed. */
  readonly models?: readonly string[] | undefined;
  /** Paths that this provider does not have, as `/v1/responses`. */
  readonly missing?: readonly string[] | undefined;
  /** How its batches go. */
  readonly batch?: BatchScript | undefined;
}

export interface BatchScript {
  /** Looks at a batch until it is served. Default 1. */
  readonly polls?: number;
  /** So many batches fail as a whole before one is served. */
  readonly failNext?: number;
  /** The share of the lines that are served when a batch is cancelled. Default 0. */
  readonly doneBeforeCancel?: number;
  /** The status with which a new batch is refused. */
  readonly refuseWith?: number;
  /** The status of the answer when a new batch has been made. Default 200. */
  readonly madeWith?: number;
  /** Whether that answer is no JSON. */
  readonly madeUnreadably?: boolean;
  /** New batches are asked for, and never answered. */
  readonly silent?: boolean;
  /** So many of the next lists do not show the newest batch yet. */
  readonly listLags?: number;
}

export interface ScriptState {
  current(): OpenaiScript;
  /** Changes the named fields only. */
  patch(patch: OpenaiScript): void;
  /** Takes one call out of the quota; false when it is spent. */
  admit(): boolean;
  /** The word that the next call fails with, if the script has one. */
  takeFailure(): string | undefined;
  /** True when the next batch is to fail. */
  takeBatchFailure(): boolean;
  /** True when the next list of batches lacks the newest one. */
  takeListLag(): boolean;
}

export function createScriptState(initial: OpenaiScript): ScriptState {
  let script = initial;
  let left = initial.quota ?? Infinity;
  return {
    current: () => script,
    patch(patch) {
      if ('quota' in patch) left = patch.quota ?? Infinity;
      script = { ...script, ...patch };
    },
    admit() {
      if (left <= 0) return false;
      left -= 1;
      return true;
    },
    takeFailure() {
      const [word, ...rest] = script.failNext ?? [];
      if (word !== undefined) script = { ...script, failNext: rest };
      return word;
    },
    takeBatchFailure() {
      const left = script.batch?.failNext ?? 0;
      if (left > 0) script = { ...script, batch: { ...script.batch, failNext: left - 1 } };
      return left > 0;
    },
    takeListLag() {
      const left = script.batch?.listLags ?? 0;
      if (left > 0) script = { ...script, batch: { ...script.batch, listLags: left - 1 } };
      return left > 0;
    },
  };
}
