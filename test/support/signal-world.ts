import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { Gateway } from './gateway.ts';

export interface ShownLane {
  readonly id: string;
  readonly state: string;
  readonly why: string | null;
  readonly coolingUntil: number | null;
}

export interface ShownAttempt {
  readonly laneId: string;
  readonly outcome: string;
  readonly reachedUpstream: boolean;
  readonly reason?: string;
}

export interface Told {
  readonly status: number;
  /** The lane that served it, from the headers. */
  readonly lane: string | null;
  readonly body: string;
  /** The error's code; undefined for an answer. */
  readonly code: string | null | undefined;
  readonly headers: Headers;
  /** From the lane log. */
  readonly attempts: readonly ShownAttempt[];
}

/** What the Codex CLI or the stand-ins say of failures, none of which may reach a caller. */
const FOREIGN_WORDS =
  /https?:|Reconnecting|As scripted|chatgpt|localhost|flagged|usage limit has been|stream disconnected/i;

/** Asks the whole product and looks at what it made of it: the answer, the lane log, the lane. */
export function createSignalWorld({ url, adminKey, admin, process: node }: Gateway) {
  const lane = async (id: string): Promise<ShownLane> => {
    const { data } = await admin.call<{ data: ShownLane[] }>('GET', '/admin/lanes');
    const found = data.find((one) => one.id === id);
    if (found === undefined) throw new Error(`no lane ${id}`);
    return found;
  };
  /** Entries of the direct path are written a moment after the answer. */
  const attemptsOf = async (requestId: string | null): Promise<readonly ShownAttempt[]> => {
    let attempts: readonly ShownAttempt[] | undefined;
    const look = async (): Promise<boolean> => {
      const { data } = await admin.call<{ data: { id: string; attempts: ShownAttempt[] }[] }>(
        'GET',
        '/admin/logs?limit=20',
      );
      attempts = data.find(({ id }) => id === requestId)?.attempts;
      return attempts !== undefined;
    };
    await expect.poll(look).toBe(true);
    return attempts ?? [];
  };
  const ask = async (
    model: string,
    content: string,
    more: { headers?: Readonly<Record<string, string>>; signal?: AbortSignal } = {},
  ): Promise<Told> => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', ...more.headers },
      ...(more.signal === undefined ? {} : { signal: more.signal }),
      body: JSON.stringify({ model, messages: [{ role: 'user', content }] }),
    });
    const body = await response.text();
    const { error } = JSON.parse(body) as { error?: { code: string | null } };
    const requestId = response.headers.get('x-request-id');
    const wasTried = response.headers.has('x-flatlane-attempts');
    const { status, headers } = response;
    return {
      status,
      lane: headers.get('x-flatlane-lane'),
      body,
      code: error?.code,
      headers,
      attempts: wasTried ? await attemptsOf(requestId) : [],
    };
  };
  return {
    lane,
    ask,
    /** The outcomes of a request's attempts on one lane. */
    outcomesOn: (told: Told, laneId: string): string[] =>
      told.attempts.filter((attempt) => attempt.laneId === laneId).map(({ outcome }) => outcome),
    expectNoForeignWords({ status, body, headers, attempts }: Told): void {
      if (status !== 200) expect(body).not.toMatch(FOREIGN_WORDS);
      expect(JSON.stringify([...headers])).not.toMatch(FOREIGN_WORDS);
      expect(JSON.stringify(attempts.map(({ reason }) => reason))).not.toMatch(FOREIGN_WORDS);
    },
    /** Asks again and again until the lane has served once more after its pause. */
    async untilServedBy(model: string, laneId: string): Promise<void> {
      await expect.poll(async () => (await ask(model, 'are you back?')).lane, { interval: 250 }).toBe(laneId);
      expect((await lane(laneId)).state).toBe('ready');
    },
    /** The ids of the Codex processes that the product runs at the moment. */
    async codexPids(): Promise<number[]> {
      const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=,ppid=,args=']);
      return stdout
        .split('\n')
        .map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row))
        .filter((row) => row !== null && Number(row[2]) === node.pid && (row[3] ?? '').includes('app-server'))
        .map((row) => Number(row?.[1]));
    },
  };
}

export type SignalWorld = ReturnType<typeof createSignalWorld>;
