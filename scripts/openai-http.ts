import { setTimeout as sleep } from 'node:timers/promises';

/** What scripts need of a batch object. */
export interface BatchShown {
  readonly id: string;
  readonly status: string;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly errors: { readonly data: readonly { readonly message: string; readonly line: number | null }[] } | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

const OVER = new Set(['completed', 'failed', 'expired', 'cancelled']);

/** The public API as scripts use it; tests use the official client instead. */
export function createOpenaiHttp(baseUrl: string, key: string) {
  const authorization = `Bearer ${key}`;
  const json = async <Answer>(
    path: string,
    init: { method?: string; headers?: Record<string, string>; body?: string | FormData } = {},
  ): Promise<Answer> => {
    const response = await fetch(`${baseUrl}${path}`, { ...init, headers: { authorization, ...init.headers } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as Answer;
  };
  const post = <Answer>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    json<Answer>(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  return {
    post,
    /** Uploads lines and starts a batch of them. */
    async startBatch(lines: readonly string[], name: string, spill: 'now' | 'late' = 'now'): Promise<BatchShown> {
      const form = new FormData();
      form.append('purpose', 'batch');
      form.append('file', new Blob([`${lines.join('\n')}\n`]), name);
      const file = await json<{ id: string }>('/files', { method: 'POST', body: form });
      return post<BatchShown>('/batches', {
        input_file_id: file.id,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
        // Nobody who watches wants to wait for a plan's next window.
        metadata: { flatlane_spill: spill },
      });
    },
    batch: (id: string) => json<BatchShown>(`/batches/${id}`),
    get: (path: string) => json<unknown>(path),
    /** Looks at a batch until it is over. @param between what else to do while it runs, after each look */
    async waitForBatch(
      id: string,
      onLook: (batch: BatchShown) => void,
      everyMs = 250,
      between: () => Promise<void> = () => Promise.resolve(),
    ): Promise<BatchShown> {
      for (;;) {
        const batch = await json<BatchShown>(`/batches/${id}`);
        onLook(batch);
        if (OVER.has(batch.status)) return batch;
        await between();
        await sleep(everyMs);
      }
    },
    /** The lines of a result file; none for a file that was not written. */
    async resultLines(fileId: string | null): Promise<string[]> {
      if (fileId === null) return [];
      const response = await fetch(`${baseUrl}/files/${fileId}/content`, { headers: { authorization } });
      if (!response.ok) throw new Error(`the content of ${fileId} answered ${response.status}`);
      return (await response.text()).split('\n').filter((line) => line !== '');
    },
  };
}

export type OpenaiHttp = ReturnType<typeof createOpenaiHttp>;
