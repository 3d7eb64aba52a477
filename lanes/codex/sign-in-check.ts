import type { Logger } from '../../core/log.ts';
import type { SignedInAccount } from './account-reads.ts';
import { RpcError } from './rpc-client.ts';

/** What comes of one turn, as far as it says something about the sign-in. */
export interface TurnOfSignIn {
  /** The model has answered: its tokens are good. */
  answered(): void;
  /** Its tokens were refused. Resolves when that has been looked into. Never rejects. */
  refused(): Promise<void>;
}

/** Finds out whether a sign-in is over, from the refusals of turns. */
export interface SignInCheck {
  /** To be called before the turn's tokens are sent. */
  begin(): TurnOfSignIn;
  /** The owner has signed in anew. */
  renewed(): void;
}

/**
 * A refusal leads to one refresh of the tokens; a turn that began after it and is refused as well ends the sign-in. A turn from
 * before it was sent with tokens that are gone, so what comes of it says nothing about those that there are.
 */
export function createSignInCheck(deps: {
  /** Gets fresh tokens: who is signed in with them, or null for nobody. @throws RpcError `refused` where there are none to be had */
  readonly refresh: () => Promise<SignedInAccount | null>;
  /** What was found out; null: the sign-in is over. */
  readonly onFound: (account: SignedInAccount | null) => void;
  readonly log: Pick<Logger, 'warn'>;
}): SignInCheck {
  /** Counts how often the tokens became new ones. */
  let renewals = 0;
  /** Tokens were refused and refreshed, and no turn that began since was answered. */
  let isUnproven = false;
  let refreshing: Promise<void> | undefined;

  const refresh = async (): Promise<void> => {
    if (isUnproven) return deps.onFound(null);
    const begunAt = renewals;
    const found = await deps.refresh().catch((cause: unknown) => {
      deps.log.warn({ err: cause }, 'the sign-in could not be refreshed');
      return cause instanceof RpcError && cause.kind === 'refused' ? null : undefined;
    });
    // The process did not answer, which says nothing; nor about their new sign-in does an old one, if the owner was faster.
    if (found === undefined || begunAt < renewals) return;
    isUnproven = true;
    // Only now: a turn that begins during a refresh may have the old tokens still.
    if (found !== null) renewals += 1;
    deps.onFound(found);
  };

  return {
    begin() {
      const begunAt = renewals;
      return {
        answered() {
          if (begunAt === renewals) isUnproven = false;
        },
        async refused() {
          if (begunAt < renewals) return;
          // One for all turns that were refused at the same time.
          refreshing ??= refresh().finally(() => {
            refreshing = undefined;
          });
          await refreshing;
        },
      };
    },
    renewed() {
      renewals += 1;
      isUnproven = false;
    },
  };
}
