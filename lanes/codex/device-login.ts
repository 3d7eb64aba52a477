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
  /** Whether the notification ends the login that is open. Undefined for any other notification. */
  read(notification: RpcNotification): { readonly success: boolean } | undefined;
}

/** OpenAI's device codes live 15 minutes. */
const CODE_LIFETIME_MS = 15 * 60_000;

/** The code comes from OpenAI's servers. */
const LOGIN_CALL_TIMEOUT_MS = 30_000;

const offerSchema = z.object({ loginId: z.string(), verificationUrl: z.string(), userCode: z.string() });
const completedSchema = z.object({ loginId: z.string().nullish(), success: z.boolean() });

export function createDeviceLogin(deps: { readonly rpc: () => RpcClient; readonly clock: Clock }): DeviceLogin {
  let open: string | undefined;
  const cancel = async (): Promise<void> => {
    const loginId = open;
    open = undefined;
    if (loginId !== undefined) await deps.rpc().call('account/login/cancel', { loginId });
  };
  return {
    async start() {
      await cancel();
      const startedAt = deps.clock.now();
      const answer = await deps.rpc().call('account/login/start', { type: 'chatgptDeviceCode' }, LOGIN_CALL_TIMEOUT_MS);
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
      return { success: completed.success };
    },
  };
}
