export type OnProgress = (line: string) => void;

/** Often enough to see that it lives, seldom enough for a log. */
const PROGRESS_INTERVAL_MS = 10_000;

interface LongTask {
  /** What is going on, as in "Building the Temporal CLI with Go". */
  readonly title: string;
  /** How long it takes, and what to do to skip it. */
  readonly hint: string;
}

/** Runs a task that takes minutes, and says what is going on, for how long, how far it reports to be, and how it ended. */
export async function withProgress<T>(
  onProgress: OnProgress,
  { title, hint }: LongTask,
  task: (report: (detail: string) => void) => Promise<T>,
): Promise<T> {
  const startedAt = Date.now();
  const elapsed = (): string => `${Math.round((Date.now() - startedAt) / 1000)} s`;
  onProgress(`${title} (${hint}) …`);
  let detail = '';
  const timer = setInterval(() => onProgress(`${title} … ${elapsed()}${detail}`), PROGRESS_INTERVAL_MS);
  try {
    const result = await task((said) => (detail = `, ${said}`));
    onProgress(`${title}: done in ${elapsed()}`);
    return result;
  } catch (cause) {
    onProgress(`${title}: failed after ${elapsed()}: ${cause instanceof Error ? cause.message : String(cause)}`);
    throw cause;
  } finally {
    clearInterval(timer);
  }
}
