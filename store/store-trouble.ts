import { MongoError, MongoNetworkError, MongoServerSelectionError } from 'mongodb';

/** MongoDB's `OutOfDiskSpace`. */
const OUT_OF_DISK_SPACE = 14_031;

/** What servers and systems say when a write finds no room: on the disk, in a quota, or in the largest file that is allowed. */
const NO_ROOM = /no space left on device|ENOSPC|not enough space|disk quota exceeded|EDQUOT|file too large|EFBIG/i;

/** What the driver calls a connection that is gone, besides its two classes for that. */
const AWAY = /^Mongo(PoolCleared|NotConnected|TopologyClosed|ServerClosed)Error$|^PoolClearedOnNetworkError$/;

/** Causes are looked at so deep: longer chains are circles. */
const DEEPEST_CAUSE = 8;

/**
 * Why the store could not do what it was asked, where the asker is not at fault: `full` when it has no room on its disk, `away`
 * when it does not answer. A server that ends itself because it can't write is away. Null for all else.
 */
export function storeTrouble(error: unknown): 'full' | 'away' | null {
  let at = error;
  let found: 'away' | null = null;
  for (let depth = 0; depth < DEEPEST_CAUSE && at instanceof Error; depth++) {
    const { code } = at as { readonly code?: unknown };
    if (code === OUT_OF_DISK_SPACE || NO_ROOM.test(`${String(code)} ${at.message}`)) return 'full';
    if (isAway(at)) found = 'away';
    at = at.cause;
  }
  return found;
}

function isAway(error: Error): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  return error instanceof MongoError && AWAY.test(error.name);
}
