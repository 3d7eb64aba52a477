import type { Clock } from '../../core/clock.ts';
import { newToken } from '../../core/ids.ts';
import type { IdempotencyDoc, IdempotencyStore } from '../../store/idempotency.ts';
import { keyReused } from './read-key.ts';

/** How long a key stands for its first answer. */
export const KEY_LIFE_MS = 24 * 3_600_000;

/** A holder that has said nothing for this long is taken as dead; one that is alive says so three times as often. */
const LEASE_MS = 15_000;

export interface ClaimDeps {
  readonly idempotency: IdempotencyStore;
  readonly clock: Clock;
}

/** A claim, and whether it is for the one who asked to do the work. */
export interface Entry {
  readonly claim: IdempotencyDoc;
  readonly isMine: boolean;
}

/** Claims on idempotency keys, as the routes use them. All that is known of a key is in the database: any process may go on. */
export function createClaims({ idempotency, clock }: ClaimDeps) {
  const hold = () => ({ holder: newToken(), leaseUntil: clock.now() + LEASE_MS });

  return {
    find: (claimId: string) => idempotency.find(claimId),

    /**
     * Claims a key, or finds the claim that stands.
     * @param bodyHash null while the body is not read yet: then it is not compared here
     * @throws ApiError when the key stands for another body
     */
    async enter(claimId: string, bodyHash: string | null, workId: string): Promise<Entry> {
      for (;;) {
        const held = hold();
        const fresh = { bodyHash, workId, ...held, answer: null, expireAt: clock.now() + KEY_LIFE_MS };
        const claim = await idempotency.claim({ _id: claimId, ...fresh });
        if (claim.holder === held.holder) return { claim, isMine: true };
        if (claim.expireAt <= clock.now()) {
          const taken = await idempotency.takeOver(claim, fresh);
          if (taken !== null) return { claim: taken, isMine: true };
          continue;
        }
        if (bodyHash !== null && claim.bodyHash !== null && claim.bodyHash !== bodyHash) throw keyReused();
        return { claim, isMine: false };
      }
    },

    /** True while the holder may still be at work. */
    isHeld: (claim: IdempotencyDoc): boolean => claim.leaseUntil > clock.now(),

    /** Goes on with the work of a holder that died or gave up, under the same id; null when somebody else does. */
    goOn: (claim: IdempotencyDoc): Promise<IdempotencyDoc | null> => idempotency.takeOver(claim, hold()),

    /** Begins anew under another id, after an answer that is not kept; null when somebody else does. */
    beginAnew: (claim: IdempotencyDoc, workId: string): Promise<IdempotencyDoc | null> =>
      idempotency.takeOver(claim, { ...hold(), workId, answer: null, expireAt: clock.now() + KEY_LIFE_MS }),

    /** Keeps a claim alive while something is done under it; the holder gives up if that fails. */
    async whileHeld<T>(claim: IdempotencyDoc, work: () => Promise<T>): Promise<T> {
      const { _id, holder } = claim;
      const timer = setInterval(() => {
        idempotency.setLease(_id, holder, clock.now() + LEASE_MS).catch(() => undefined);
      }, LEASE_MS / 3);
      try {
        return await work();
      } catch (error) {
        clearInterval(timer);
        // Where this is lost as well the lease runs out by itself.
        await idempotency.setLease(_id, holder, 0).catch(() => undefined);
        throw error;
      } finally {
        clearInterval(timer);
      }
    },

    learnBody: (claim: IdempotencyDoc, bodyHash: string) => idempotency.learnBody(claim._id, claim.workId, bodyHash),

    finish: (claim: IdempotencyDoc, answer: Parameters<IdempotencyStore['finish']>[2]) =>
      idempotency.finish(claim._id, claim.workId, answer),
  };
}

export type Claims = ReturnType<typeof createClaims>;
