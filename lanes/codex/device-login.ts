import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import type { RpcClient, RpcNotification } from './rpc-client.ts';

/** What the owner needs to sign an account in, in a browser of any machine. */
export interface LoginOffer {
  readonly loginId: string;
  readonly verificationUrl: string;
  readonly userCode: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/** Signing an account in by device code. The tokens stay with the CLI. */
export interface DeviceLogin {
  /** @throws RpcError, or Error when no process is running. An offer that is still open is replaced. */
  start(): Promise<LoginOffer>;
  cancel(): Promise<void>;
  /** How the notification ends the login that is open. Undefined for any other notification. */
  read(notification: RpcNotification): LoginEnd | undefined;
  /** Its process is gone, and the code with it. True where a login was open. */
  lose(): boolean;
}

export interface LoginEnd {
  readonly success: boolean;
  /** Why it was not completed, in our own words; null where it was. */
  readonly why: string | null;
}

/** OpenAI's device codes live 15 minutes. */
const CODE_LIFETIME_MS = 15 * 60_000;

/** The code comes from OpenAI's servers. */
const LOGIN_CALL_TIMEOUT_MS = 30_000;

const offerSchema = z.object({ loginId: z.string(), verificationUrl: z.string(), userCode: z.string() });
const completedSchema = z.object({
  loginId: z.string().nullish(),
  success: z.boolean(),
  error: z.string().nullish(),
});

/**
 * Why a login was not completed. Its owner's no and a code that OpenAI does not know any more come with the same words, and
 * with a status of the 400s (measured with the stand-in, which answers both with 400).
 */
function whyNotCompleted(error: string): string {
  if (/timed out/i.test(error)) return 'the code of the sign-in has expired';
  const status = /status (\d{3})/.exec(error)?.[1];
  if (status?.startsWith('5') === true) return `the sign-in failed at OpenAI, with status ${status}; try again later`;
  if (/device auth failed/i.test(error)) return 'the sign-in was denied, or its code has expired';
  return 'the Codex CLI could not complete the sign-in';
}

/** @param deps.rpc waits a moment for a process that is being started again. @throws Error when none is running then */
export function createDeviceLogin(deps: {
  readonly rpc: () => Promise<RpcClient>;
  readonly clock: Clock;
}): DeviceLogin {
  let open: string | undefined;
  const cancel = async (): Promise<void> => {
    const loginId = open;
    open = undefined;
    if (loginId !== undefined) await (await deps.rpc()).call('account/login/cancel', { loginId });
  };
  return {
    async start() {
      await cancel();
      const rpc = await deps.rpc();
      const startedAt = deps.clock.now();
      const answer = await rpc.call('account/login/start', { type: 'chatgptDeviceCode' }, LOGIN_CALL_TIMEOUT_MS);
      const offer = offerSchema.parse(answer);
      open = offer.loginId;
      return { ...offer, expiresAt: startedAt + CODE_LIFETIME_MS };
    },
    cancel,
    read({ method, params }) {
      if (method !== 'account/login/completed') return undefined;
      const completed = completedSchema.parse(params);
      if (completed.loginId !== open && completed.loginId !== null) return undefined;
      open = undefined;
      const { success, error } = completed;
      return { success, why: success ? null : whyNotCompleted(error ?? '') };
    },
    lose() {
      const wasOpen = open !== undefined;
      open = undefined;
      return wasOpen;
    },
  };
}
