import { MongoNetworkError, MongoServerError, MongoTopologyClosedError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { readAgain } from '../../store/read-again.ts';

/** A read that fails with each of these, then succeeds. */
function readThrough(...failures: readonly Error[]): { read: () => Promise<string>; tries: () => number } {
  let tries = 0;
  const read = async (): Promise<string> => {
    const failure = failures[tries];
    tries += 1;
    if (failure !== undefined) throw failure;
    return 'read';
  };
  return { read, tries: () => tries };
}

describe('readAgain', () => {
  it('reads until the database answers', async () => {
    const { read, tries } = readThrough(
      new MongoNetworkError('gone'),
      new MongoServerError({ message: 'the server is in quiesce mode', code: 91 }),
      new MongoServerError({ message: 'operation was interrupted', code: 11_602 }),
    );
    await expect(readAgain(read)).resolves.toBe('read');
    expect(tries()).toBe(4);
  });

  it.each([
    ['a failure of another kind', new MongoServerError({ message: 'no such command', code: 59 })],
    ['a connection that we have closed', new MongoTopologyClosedError('closed')],
    ['a bug', new TypeError('undefined is not a function')],
  ])('does not repeat %s', async (_what, failure) => {
    const { read, tries } = readThrough(failure);
    await expect(readAgain(read)).rejects.toBe(failure);
    expect(tries()).toBe(1);
  });

  it('gives up when the database stays away', async () => {
    const failure = new MongoNetworkError('gone');
    await expect(readAgain(() => Promise.reject(failure), 400)).rejects.toBe(failure);
  });
});
