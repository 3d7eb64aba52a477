import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLogStream, type LogFile } from '../../core/log-stream.ts';

const failure = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

/** A file whose writes end as the list says, one after the other, and then well; by default it takes all that it is given. */
function createFile(ends: readonly (string | number)[] = []) {
  const left = [...ends];
  let taken = '';
  let calls = 0;
  const end = (data: Buffer): number => {
    calls += 1;
    const next = left.shift() ?? data.length;
    if (typeof next === 'string') throw failure(next);
    taken += data.subarray(0, next).toString();
    return next;
  };
  const file: LogFile = {
    writeSync: end,
    write: (data, done) =>
      void setImmediate(() => {
        try {
          done(null, end(data));
        } catch (error) {
          done(error as NodeJS.ErrnoException, 0);
        }
      }),
  };
  return { file, taken: () => taken, calls: () => calls };
}

describe('the stream of a logger', () => {
  it('keeps the order of lines, also of those that are taken in parts', async () => {
    const { file, taken } = createFile([2, 1]);
    const stream = createLogStream(file);
    for (const line of ['one\n', 'two\n', 'three\n']) stream.write(line);
    await expect.poll(taken).toBe('one\ntwo\nthree\n');
  });

  it.each(['EIO', 'EPIPE', 'EBADF'])('tries no more after %s, at the end of the process neither', async (code) => {
    const { file, taken, calls } = createFile([code]);
    const stream = createLogStream(file);
    stream.write('one\n');
    await expect.poll(calls).toBe(1);
    stream.write('two\n');
    await sleep(20);
    stream.flushSync();
    expect([taken(), calls()]).toEqual(['', 1]);
  });

  it('goes on with the next line on a disk that had no room for one', async () => {
    const { file, taken, calls } = createFile(['ENOSPC']);
    const stream = createLogStream(file);
    stream.write('lost\n');
    await expect.poll(calls).toBe(1);
    stream.write('kept\n');
    await expect.poll(taken).toBe('kept\n');
  });

  it('waits for a pipe that is full', async () => {
    const { file, taken } = createFile(['EAGAIN', 'EAGAIN']);
    const stream = createLogStream(file);
    stream.write('one\n');
    await expect.poll(taken).toBe('one\n');
  });

  it('writes what waits at the end of the process', () => {
    const { file, taken } = createFile();
    const stream = createLogStream({ ...file, write: () => undefined });
    stream.write('on its way\n');
    stream.write('one\n');
    stream.write('two\n');
    stream.flushSync();
    expect(taken()).toBe('one\ntwo\n');
  });

  it.each(['EAGAIN', 'EIO'])('ends soon when the last write meets %s for ever', async (code) => {
    const { file, calls } = createFile(Array<string>(1_000).fill(code));
    const stream = createLogStream({ ...file, write: (_data, done) => done(failure('EAGAIN'), 0) });
    stream.write('one\n');
    stream.flushSync();
    expect(calls()).toBeLessThanOrEqual(20);
  });

  it('does not stand still with a reader that does', async () => {
    const { file, calls } = createFile();
    const stream = createLogStream({ ...file, write: () => undefined });
    stream.write('one\n');
    stream.write('two\n');
    await sleep(300);
    stream.flushSync();
    expect(calls()).toBe(0);
  });
});
