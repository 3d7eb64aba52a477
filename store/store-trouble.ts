import { BSON, MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerSelectionError } from 'mongodb';

/** MongoDB's `OutOfDiskSpace`. */
const OUT_OF_DISK_SPACE = 14_031;

/** What servers and systems say when a write finds no room: on the disk, in a quota, or in the largest file that is allowed. */
const NO_ROOM = /no space left on device|ENOSPC|not enough space|disk quota exceeded|EDQUOT|file too large|EFBIG/i;

/** What the driver calls a connection that is gone, besides its two classes for that. */
const AWAY = /^Mongo(PoolCleared|NotConnected|TopologyClosed|ServerClosed)Error$|^PoolClearedOnNetworkError$/;

/**
 * With these codes MongoDB refuses a document for what it is: BadValue, FailedToParse, TypeMismatch, InvalidBSON,
 * DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong. Of a whole command some of them say that the server is set up otherwise.
 */
const REFUSALS: readonly unknown[] = [2, 9, 14, 22, 121, 10_334, 17_280];

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

/**
 * True when an insert of many found a document that is refused for what it is: it will never be taken, however well the store is.
 */
export function isRefused(error: unknown): boolean {
  if (error instanceof MongoBulkWriteError)
    return [error.writeErrors].flat().some(({ code }) => REFUSALS.includes(code));
  return error instanceof BSON.BSONError;
}
