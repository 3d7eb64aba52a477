import { request } from 'undici';

/** Steers the stand-in ChatGPT backend, which runs in a process of its own. */
export type ScriptAccount = (account: string, patch: Readonly<Record<string, unknown>>) => Promise<void>;

export function createScriptAccount(controlUrl: string): ScriptAccount {
  return async (account, patch) => {
    const { statusCode, body } = await request(`${controlUrl}/script`, {
      method: 'POST',
      body: JSON.stringify({ account, patch }),
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`the stand-in answered ${statusCode}: ${text}`);
  };
}

/**
 * What goes wrong on the way, by the number of the request; undefined for most. `hang` is a caller who leaves an answer that does
 * not come, `kill` the death of a Codex process, and all others are words for the backend's next call.
 */
export function mishapOf(index: number): string | undefined {
  if (index % 500 === 250) return 'kill';
  if (index % 200 === 100) return 'limit';
  if (index % 20 !== 10) return undefined;
  return MISHAPS[Math.floor(index / 20) % MISHAPS.length];
}

const MISHAPS = ['status:500', 'half', 'hang', 'status:429', 'failed:server_is_overloaded', 'hang', 'half'] as const;
