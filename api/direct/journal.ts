import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DirectEntry } from './direct-entry.ts';

/** Entries on disk, from before their answers go out until the database has them: what a killed process leaves behind. */
export interface Journal {
  /**
   * Appends an entry, and returns when the system has it: a kill of this process can't take it back, a loss of power can. What
   * it returns is to be called when the database has the entry.
   * @throws Error when the disk does not take it, or the journal is retired
   */
  append(entry: DirectEntry): () => void;
  /** Nothing more is appended. What is left on disk is what the database does not have. */
  retire(): void;
}

interface Segment {
  readonly path: string;
  readonly fd: number;
  bytes: number;
  /** Entries that the database does not have. */
  waiting: number;
}

/** A file of this size is followed by another one: under a load without a break it is never empty, and must end some time. */
const SEGMENT_BYTES = 4 * 1024 * 1024;

/** Opens a journal: files of JSON lines in a folder of its own, which is made with mode 0700. */
export function openJournal(folder: string): Journal {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const open = new Set<Segment>();
  let made = 0;
  let current: Segment | undefined;
  let isRetired = false;

  const newSegment = (): Segment => {
    // Somebody may have removed it: what comes from here on is on disk all the same.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `${String(made++).padStart(8, '0')}.jsonl`);
    const segment = { path, fd: openSync(path, 'a', 0o600), bytes: 0, waiting: 0 };
    open.add(segment);
    return segment;
  };
  /** The one that is written to is emptied, and every other one goes, when nothing in it waits. */
  const settle = (segment: Segment): void => {
    if (segment.waiting > 0) return;
    if (segment === current && !isRetired) {
      ftruncateSync(segment.fd, 0);
      segment.bytes = 0;
      return;
    }
    open.delete(segment);
    closeSync(segment.fd);
    rmSync(segment.path, { force: true });
    if (isRetired && open.size === 0) rmSync(folder, { recursive: true, force: true });
  };

  return {
    append(entry) {
      // Its files are closed, and their numbers may be those of other files by now.
      if (isRetired) throw new Error('the journal is retired');
      if (current === undefined || current.bytes >= SEGMENT_BYTES) {
        const full = current;
        current = newSegment();
        if (full !== undefined) settle(full);
      }
      const segment = current;
      const line = Buffer.from(`${JSON.stringify(entry)}\n`);
      if (writeSync(segment.fd, line) < line.length) {
        // Should the part not be taken back, the next entry must not stand on the same line.
        current = undefined;
        ftruncateSync(segment.fd, segment.bytes);
        current = segment;
        throw new Error('the disk took a part of an entry only');
      }
      segment.bytes += line.length;
      segment.waiting += 1;
      return () => {
        segment.waiting -= 1;
        settle(segment);
      };
    },
    retire() {
      isRetired = true;
      if (open.size === 0) rmSync(folder, { recursive: true, force: true });
      for (const segment of open) settle(segment);
    },
  };
}
