import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClaims, KEY_LIFE_MS } from '../../api/idempotency/claims.ts';
import { createIdempotencyStore, type IdempotencyDoc, type IdempotencyStore } from '../../store/idempotency.ts';
import { createMovableClock } from '../support/movable-clock.ts';
import { openTestDatabase, type TestDatabase } from '../support/mongodb.ts';

const CALLERS = Array.from({ length: 50 }, (_, index) => index);

let database: TestDatabase;
let store: IdempotencyStore;
beforeAll(async () => {
  database = await openTestDatabase();
  store = createIdempotencyStore(database.db);
});
afterAll(() => database.release());

const claimOf = (_id: string, holder: string, given: Partial<IdempotencyDoc> = {}): IdempotencyDoc => ({
  _id,
  bodyHash: 'body',
  workId: `work of ${holder}`,
  holder,
  leaseUntil: 100,
  answer: null,
  expireAt: 1_000,
  ...given,
});

describe('the store of idempotency keys', () => {
  it('gives a key to exactly one of fifty who claim it at once, and shows all of them the same claim', async () => {
    const seen = await Promise.all(CALLERS.map((caller) => store.claim(claimOf('once', `caller ${caller}`))));
    const winners = CALLERS.filter((caller) => seen[caller]?.holder === `caller ${caller}`);
    expect(winners).toHaveLength(1);
    expect(new Set(seen.map(({ workId }) => workId)).size).toBe(1);
    expect(await store.find('once')).toEqual(seen[0]);
  });

  it('lets exactly one of fifty go on for a holder that died', async () => {
    const dead = await store.claim(claimOf('lost', 'dead'));
    const taken = await Promise.all(
      CALLERS.map((caller) => store.takeOver(dead, { holder: `caller ${caller}`, leaseUntil: 200 })),
    );
    const next = taken.filter((claim) => claim !== null);
    expect(next).toHaveLength(1);
    expect(next[0]).toMatchObject({ workId: 'work of dead', leaseUntil: 200 });
    await store.setLease('lost', 'dead', 999);
    expect(await store.find('lost')).toEqual(next[0]);
  });

  it('keeps the first body and the first answer', async () => {
    const { workId } = await store.claim(claimOf('first', 'a', { bodyHash: null }));
    const learnt = await Promise.all(['x', 'y', 'x'].map((hash) => store.learnBody('first', workId, hash)));
    const standing = (await store.find('first'))?.bodyHash;
    expect(learnt).toEqual(['x', 'y', 'x'].map((hash) => hash === standing));
    const answer = (body: string) => ({ status: 200, headers: {}, body });
    await store.finish('first', workId, answer('1'));
    await store.finish('first', workId, answer('2'));
    expect((await store.find('first'))?.answer).toEqual(answer('1'));
    await store.finish('first', 'other work', answer('3'));
    expect((await store.find('first'))?.answer).toEqual(answer('1'));
  });

  it('removes what is past its end, a bounded number at a time', async () => {
    for (const id of ['old 1', 'old 2', 'old 3']) await store.claim(claimOf(id, 'a', { expireAt: 10 }));
    await store.claim(claimOf('young', 'a', { expireAt: 30 }));
    expect(await store.removeExpired(20, 2)).toBe(2);
    expect(await store.removeExpired(20, 2)).toBe(1);
    expect(await store.removeExpired(20, 2)).toBe(0);
    expect(await store.find('young')).not.toBeNull();
  });
});

describe('claims', () => {
  it('stand for a day, and then the key is free for another body', async () => {
    const clock = createMovableClock();
    const claims = createClaims({ idempotency: store, clock });
    const first = await claims.enter('daily', 'body 1', 'work 1');
    expect(first.isMine).toBe(true);
    expect(await claims.enter('daily', 'body 1', 'work 2')).toEqual({ ...first, isMine: false });
    await expect(claims.enter('daily', 'body 2', 'work 3')).rejects.toMatchObject({
      errorName: 'idempotency_key_reused',
      status: 409,
      shouldRetry: false,
    });
    clock.advance(KEY_LIFE_MS);
    const next = await Promise.all(CALLERS.map((caller) => claims.enter('daily', 'body 2', `next ${caller}`)));
    expect(next.filter(({ isMine }) => isMine)).toHaveLength(1);
    expect(new Set(next.map(({ claim }) => claim.workId)).size).toBe(1);
    expect(next[0]?.claim).toMatchObject({ bodyHash: 'body 2', answer: null });
  });

  it('are free for the next at once when their holder fails', async () => {
    const clock = createMovableClock();
    const claims = createClaims({ idempotency: store, clock });
    const { claim } = await claims.enter('failed', 'body', 'work');
    expect(claims.isHeld(claim)).toBe(true);
    await expect(claims.whileHeld(claim, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    const again = await claims.enter('failed', 'body', 'work 2');
    expect(again).toMatchObject({ isMine: false, claim: { workId: 'work' } });
    expect(claims.isHeld(again.claim)).toBe(false);
    expect(await claims.goOn(again.claim)).toMatchObject({ workId: 'work' });
    expect(await claims.goOn(again.claim)).toBeNull();
  });
});
