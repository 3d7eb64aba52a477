import { Agent, request } from 'undici';

export interface Target {
  readonly url: string;
  readonly key: string;
  readonly model: string;
}

/** Milliseconds of each request, in the order of their ends, and how long all of them took together. */
export interface LoadResult {
  readonly latenciesMs: readonly number[];
  readonly tookMs: number;
}

/** A load is never larger than this, whatever was asked for. */
const MOST_REQUESTS = 50_000;

/** Sends so many chat completions, so many at a time. @throws Error on the first answer that is not a whole one */
export async function runLoad(target: Target, requests: number, atATime: number, stream = false): Promise<LoadResult> {
  const dispatcher = new Agent({ connections: atATime });
  const latenciesMs: number[] = [];
  let left = Math.min(requests, MOST_REQUESTS);
  const startedAt = performance.now();
  const sender = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      latenciesMs.push(await sendOne(target, dispatcher, stream));
    }
  };
  await Promise.all(Array.from({ length: atATime }, sender));
  const tookMs = performance.now() - startedAt;
  await dispatcher.close();
  return { latenciesMs, tookMs };
}

/** One completion: milliseconds until its end, or until its first token for a stream. */
async function sendOne({ url, key, model }: Target, dispatcher: Agent, stream: boolean): Promise<number> {
  const startedAt = performance.now();
  const { statusCode, body } = await request(`${url}/chat/completions`, {
    dispatcher,
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'One short sentence, please.' }] }),
  });
  if (!stream) {
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}: ${text.slice(0, 300)}`);
    return performance.now() - startedAt;
  }
  let firstMs: number | undefined;
  for await (const part of body) {
    if (firstMs === undefined && String(part).includes('"content":"')) firstMs = performance.now() - startedAt;
  }
  if (statusCode !== 200 || firstMs === undefined) throw new Error(`${url} answered ${statusCode} without a token`);
  return firstMs;
}

/** The value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
