import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { createDeviceLogin, type DeviceLogin } from '../../../lanes/codex/device-login.ts';
import type { RpcClient } from '../../../lanes/codex/rpc-client.ts';

const OFFER = { loginId: 'l1', verificationUrl: 'https://example.com', userCode: 'ABCD-1234' };

function begun(): DeviceLogin {
  const rpc: RpcClient = {
    call: async () => OFFER,
    initialized: () => undefined,
    listen: () => () => undefined,
    tell: () => undefined,
    fail: () => undefined,
  };
  return createDeviceLogin({ rpc: async () => rpc, clock: systemClock });
}
const completed = (params: object) => ({ method: 'account/login/completed', params: { loginId: 'l1', ...params } });

describe('createDeviceLogin', () => {
  it.each([
    ['device auth timed out after 15 minutes', 'the code of the sign-in has expired'],
    ['device auth failed with status 400 Bad Request', 'the sign-in was denied, or its code has expired'],
    ['device auth failed with status 502', 'the sign-in failed at OpenAI, with status 502; try again later'],
    [
      'device code exchange failed: token endpoint returned status 503 Service Unavailable: see https://example.com',
      'the sign-in failed at OpenAI, with status 503; try again later',
    ],
    ['something with /home/secret in it', 'the Codex CLI could not complete the sign-in'],
    [null, 'the Codex CLI could not complete the sign-in'],
  ])('says of %s in our own words why', async (error, why) => {
    const login = begun();
    await login.start();
    expect(login.read(completed({ success: false, error }))).toEqual({ success: false, why });
    expect(login.lose()).toBe(false);
  });

  it('has no reason where it was completed', async () => {
    const login = begun();
    await login.start();
    expect(login.read(completed({ success: true, error: null }))).toEqual({ success: true, why: null });
  });

  it('loses the login that is open, once, and hears of it no more', async () => {
    const login = begun();
    expect(login.lose()).toBe(false);
    await login.start();
    expect([login.lose(), login.lose()]).toEqual([true, false]);
    expect(login.read(completed({ success: false }))).toBeUndefined();
  });
});
