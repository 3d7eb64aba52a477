import {
  BSON,
  MongoBulkWriteError,
  MongoError,
  MongoErrorLabel,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoServerSelectionError,
  MongoWriteConcernError,
} from 'mongodb';

/** MongoDB's `OutOfDiskSpace`. */
const OUT_OF_DISK_SPACE = 14_031;

/** What servers and systems say when a write finds no room: on the disk, in a quota, or in the largest file that is allowed. */
const NO_ROOM = /no space left on device|ENOSPC|not enough space|disk quota exceeded|EDQUOT|file too large|EFBIG/i;

/** What the driver calls a connection that is gone, besides its two classes for that. */
const AWAY =
  /^Mongo(PoolCleared|NotConnected|TopologyClosed|ServerClosed|ClientClosed)Error$|^PoolClearedOnNetworkError$/;

/**
 * With these codes a server says that it ends, is not the one that is written to (any more, or yet), or can't reach another one that
 * it needs: HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, ReadConcernMajorityNotAvailableYet,
 * PrimarySteppedDown, ExceededTimeLimit, SocketException, LegacyNotPrimary, NotWritablePrimary, InterruptedAtShutdown,
 * InterruptedDueToReplStateChange, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary. The driver's own lists, which it does not export.
 */
const STEPPED_DOWN: readonly unknown[] = [
  6, 7, 89, 91, 134, 189, 262, 9_001, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436,
];

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
  let at = unwrapped(error);
  let found: 'away' | null = null;
  for (let depth = 0; depth < DEEPEST_CAUSE && at instanceof Error; depth++) {
    const { code, message } = at as Error & { readonly code?: unknown };
    const said = [{ code, errmsg: message }, ...writeErrorsOf(at)];
    if (said.some(isFull)) return 'full';
    if (isGone(at) || (at instanceof MongoError && said.some((one) => STEPPED_DOWN.includes(one.code)))) found = 'away';
    at = unwrapped(at.cause);
  }
  return found;
}

/**
 * True when a write of one document has failed, and may be stored all the same: its answer is lost, or the server that was asked
 * has it and others have not said so.
 */
export function mayBeStored(error: unknown): boolean {
  return error instanceof MongoWriteConcernError || storeTrouble(error) === 'away';
}

function isFull({ code, errmsg }: { readonly code?: unknown; readonly errmsg?: string | undefined }): boolean {
  return code === OUT_OF_DISK_SPACE || NO_ROOM.test(`${String(code)} ${errmsg}`);
}

function isGone(error: Error): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  return (
    error instanceof MongoError && (AWAY.test(error.name) || error.hasErrorLabel(MongoErrorLabel.RetryableWriteError))
  );
}

/**
 * An insert of many puts all that went wrong into an error of its own, which has neither the class nor the cause of what the driver
 * itself has met with.
 */
function unwrapped(error: unknown): unknown {
  return error instanceof MongoBulkWriteError && error.errorResponse instanceof Error ? error.errorResponse : error;
}

/** What an insert of many says of each document that was not taken. */
function writeErrorsOf(error: unknown) {
  return error instanceof MongoBulkWriteError ? [error.writeErrors].flat() : [];
}

/**
 * True when an insert of many found a document that is refused for what it is: it will never be taken, however well the store is.
 */
export function isRefused(error: unknown): boolean {
  if (writeErrorsOf(error).some(({ code }) => REFUSALS.includes(code))) return true;
  return unwrapped(error) instanceof BSON.BSONError;
}

/**
 * True when an insert of many says of a document that it was not taken, for whatever reason, or could not make it ready to be sent.
 * False when only the insert as a whole has failed: once, that says nothing of what was to be inserted.
 */
export function namesDocument(error: unknown): boolean {
  const own = unwrapped(error);
  return writeErrorsOf(own).length > 0 || own instanceof BSON.BSONError || own instanceof MongoInvalidArgumentError;
}
