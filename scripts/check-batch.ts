/** What came out of a batch, counted by custom_id. */
export interface BatchCheck {
  readonly expected: number;
  readonly completed: number;
  readonly failed: number;
  /** Ids that came out nowhere. */
  readonly lost: readonly string[];
  /** Ids that came out more than once. */
  readonly twice: readonly string[];
  /** Ids that came out and never went in. */
  readonly strangers: readonly string[];
}

/** Compares what went into a batch with the lines of its two result files. */
export function checkBatch(
  customIds: readonly string[],
  outputLines: readonly string[],
  errorLines: readonly string[],
): BatchCheck {
  const seen = new Map<string, number>();
  for (const line of [...outputLines, ...errorLines]) {
    const { custom_id } = JSON.parse(line) as { custom_id: string };
    seen.set(custom_id, (seen.get(custom_id) ?? 0) + 1);
  }
  const known = new Set(customIds);
  return {
    expected: customIds.length,
    completed: outputLines.length,
    failed: errorLines.length,
    lost: customIds.filter((id) => !seen.has(id)),
    twice: [...seen].filter(([, times]) => times > 1).map(([id]) => id),
    strangers: [...seen.keys()].filter((id) => !known.has(id)),
  };
}
