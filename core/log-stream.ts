import { write, writeSync } from 'node:fs';

/** Where a logger writes its lines. */
export interface LogStream {
  write(line: string): void;
  /** Writes what waits, before the process ends. A reader that takes nothing is not waited for. */
  flushSync(): void;
}

type WriteDone = (error: NodeJS.ErrnoException | null, written: number) => void;

/** How the file is written to; another one in tests. */
export interface LogFile {
  readonly write: (data: Buffer, done: WriteDone) => void;
  /** Returns how many bytes were taken. */
  readonly writeSync: (data: Buffer) => number;
}

/** Standard error, as the file descriptor that it is. */
export const standardError: LogFile = {
  write: (data, done) => write(2, data, done),
  writeSync: (data) => writeSync(2, data),
};

/** A pipe that is full is tried again at this pace. */
const AGAIN_MS = 50;

/** What may wait for a reader that stands still, in characters; beyond it lines are dropped, or a night of them would fill the memory. */
const WAITING_LIMIT = 8 * 1024 * 1024;

/** A write that is under way for so long has a reader that stands still, a terminal after Ctrl-S say. */
const STUCK_AFTER_MS = 200;

/** At the end of the process a full pipe gets this many tries, 10 ms apart. */
const LAST_TRIES = 20;
const LAST_PAUSE_MS = 10;

/** After these nobody will ever read again: the terminal is closed, the reader of the pipe has ended. */
const GONE_FOR_GOOD: ReadonlySet<string | undefined> = new Set(['EIO', 'EPIPE', 'EBADF', 'ENXIO']);
const FULL_PIPE: ReadonlySet<string | undefined> = new Set(['EAGAIN', 'EBUSY', 'EINTR']);

/**
 * A stream that never fails and tries nothing for ever: what can't be written is dropped. pino's own goes on trying on a terminal
 * that was closed, at the end of the process too, and leaves one that only `kill -9` ends.
 */
export function createLogStream(file: LogFile): LogStream {
  let waiting = '';
  /** The part of the last piece that is not written yet. */
  let rest: Buffer | null = null;
  let writingSince: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  let isGone = false;

  const drop = (error: NodeJS.ErrnoException): void => {
    rest = null;
    // On a disk without room a later line may fit, so only this piece is lost.
    isGone ||= GONE_FOR_GOOD.has(error.code);
    if (isGone) waiting = '';
  };
  const took = (written: number): void => {
    rest = rest === null || written >= rest.length ? null : rest.subarray(written);
  };
  /** What is to be written next, or null. */
  const next = (): Buffer | null => {
    if (rest === null && waiting !== '') {
      rest = Buffer.from(waiting);
      waiting = '';
    }
    return rest;
  };

  const pump = (): void => {
    timer = undefined;
    if (writingSince !== null) return;
    const data = next();
    if (data === null) return;
    writingSince = performance.now();
    file.write(data, (error, written) => {
      writingSince = null;
      if (error === null) took(written);
      else if (FULL_PIPE.has(error.code)) {
        timer = setTimeout(pump, AGAIN_MS).unref();
        return;
      } else drop(error);
      pump();
    });
  };

  return {
    write(line) {
      if (isGone || waiting.length + line.length > WAITING_LIMIT) return;
      waiting += line;
      if (timer === undefined) pump();
    },
    flushSync() {
      if (writingSince !== null) {
        // A second write would stand still as well, and this process with it.
        if (performance.now() - writingSince > STUCK_AFTER_MS) return;
        // That piece is on its way, by a thread of Node's.
        rest = null;
      }
      for (let tries = 0; tries < LAST_TRIES && next() !== null;) {
        try {
          took(file.writeSync(rest ?? Buffer.alloc(0)));
        } catch (cause) {
          const error = cause as NodeJS.ErrnoException;
          if (!FULL_PIPE.has(error.code)) drop(error);
          else {
            tries += 1;
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_PAUSE_MS);
          }
        }
      }
    },
  };
}
