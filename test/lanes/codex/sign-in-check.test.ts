import { describe, expect, it } from 'vitest';
import type { SignedInAccount } from '../../../lanes/codex/account-reads.ts';
import { RpcError } from '../../../lanes/codex/rpc-client.ts';
import { createSignInCheck } from '../../../lanes/codex/sign-in-check.ts';
import { silentLog } from '../../support/planted.ts';

const OWNER: SignedInAccount = { email: 'main@example.com', planType: 'plus' };

/** A check whose refreshes work until the test says otherwise. */
function setUp(refresh: () => Promise<SignedInAccount | null> = async () => OWNER) {
  const seen = { refreshes: 0, found: [] as (SignedInAccount | null)[] };
  const check = createSignInCheck({
    refresh: () => {
      seen.refreshes += 1;
      return refresh();
    },
    onFound: (account) => void seen.found.push(account),
    log: silentLog,
  });
  return { check, seen };
}

describe('createSignInCheck', () => {
  it('refreshes the tokens once for all turns that are refused at the same time', async () => {
    const { check, seen } = setUp();
    const turns = [check.begin(), check.begin(), check.begin()];
    await Promise.all(turns.map((turn) => turn.refused()));
    expect(seen).toEqual({ refreshes: 1, found: [OWNER] });
  });

  it('takes the refusal of a turn from before the refresh as an old one', async () => {
    const { check, seen } = setUp();
    const [first, late] = [check.begin(), check.begin()];
    await first.refused();
    await late.refused();
    expect(seen).toEqual({ refreshes: 1, found: [OWNER] });
  });

  it('takes a turn that began during the refresh as one with the old tokens', async () => {
    let end: (account: SignedInAccount) => void = () => undefined;
    const { check, seen } = setUp(
      () =>
        new Promise((resolve) => {
          end = resolve;
        }),
    );
    const looking = check.begin().refused();
    const [answered, late] = [check.begin(), check.begin()];
    answered.answered();
    end(OWNER);
    await looking;
    await late.refused();
    expect(seen).toEqual({ refreshes: 1, found: [OWNER] });
    await check.begin().refused();
    expect(seen).toEqual({ refreshes: 1, found: [OWNER, null] });
  });

  it('finds the sign-in over when a turn from after the refresh is refused, whatever old turns come to', async () => {
    const { check, seen } = setUp();
    const [first, answered, refused] = [check.begin(), check.begin(), check.begin()];
    await first.refused();
    answered.answered();
    await refused.refused();
    await check.begin().refused();
    expect(seen).toEqual({ refreshes: 1, found: [OWNER, null] });
  });

  it('refreshes again after an answer with the fresh tokens', async () => {
    const { check, seen } = setUp();
    await check.begin().refused();
    check.begin().answered();
    await check.begin().refused();
    expect(seen).toEqual({ refreshes: 2, found: [OWNER, OWNER] });
  });

  it.each(['lost', 'timeout', 'busy'] as const)('finds nothing when the process does not answer (%s)', async (kind) => {
    const { check, seen } = setUp(() => Promise.reject(new RpcError(kind, 'no answer')));
    await check.begin().refused();
    await check.begin().refused();
    expect(seen).toEqual({ refreshes: 2, found: [] });
  });

  it.each([
    ['fails', () => Promise.reject(new RpcError('refused', 'refresh_token_reused'))],
    ['finds nobody signed in', async () => null],
  ])('finds the sign-in over when the refresh %s', async (_, refresh) => {
    const { check, seen } = setUp(refresh);
    await check.begin().refused();
    expect(seen).toEqual({ refreshes: 1, found: [null] });
  });

  it('says nothing about a new sign-in from turns and refreshes that are older', async () => {
    let fail: (error: Error) => void = () => undefined;
    const { check, seen } = setUp(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    const late = check.begin();
    const looking = check.begin().refused();
    check.renewed();
    fail(new Error('refresh_token_reused'));
    await looking;
    await late.refused();
    expect(seen).toEqual({ refreshes: 1, found: [] });
  });
});
