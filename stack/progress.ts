export type OnProgress = (line: string) => void;

/** Often enough to see that it lives, seldom enough for a log. */
const PROGRESS_INTERVAL_MS = 10_000;

/** Runs a task that takes minutes, and says what is going on and for how long, in seconds. */
export async function withProgress<T>(onProgress: OnProgress, title: string, task: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  const elapsed = (): string => `${Math.round((Date.now() - startedAt) / 1000)} s`;
  onProgress(`${title} …`);
  const timer = setInterval(() => onProgress(`${title} … ${elapsed()}`), PROGRESS_INTERVAL_MS);
  try {
    const result = await task();
    onProgress(`${title}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
