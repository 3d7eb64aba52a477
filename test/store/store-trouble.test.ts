import { BSON, MongoBulkWriteError, MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, it } from 'vitest';
import { connectDatabase } from '../../store/database.ts';
import { isRefused, storeTrouble } from '../../store/store-trouble.ts';

describe('storeTrouble', () => {
  it.each([
    ['what MongoDB answers', new MongoServerError({ message: 'no room', code: 14_031 })],
    ['what the system says', Object.assign(new Error('write'), { code: 'ENOSPC' })],
    ['what the embedded server passes on', new MongoServerError({ message: 'Unknown error: No space left on device' })],
    ['a quota', new Error('Disk quota exceeded')],
    ['what stands behind another failure', new Error('failed', { cause: new Error('File too large') })],
    ['a full disk behind a lost connection', new MongoNetworkError('gone', { cause: new Error('ENOSPC') })],
  ])('knows a full disk by %s', (_what, error) => {
    expect(storeTrouble(error)).toBe('full');
  });

  it('knows a server that does not answer', async () => {
    const failure = await connectDatabase('mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=50', 'x').catch(
      (error: unknown) => error,
    );
    expect(storeTrouble(failure)).toBe('away');
    expect(storeTrouble(new Error('failed', { cause: new MongoNetworkError('gone') }))).toBe('away');
  });

  it.each([[new Error('a bug')], [new MongoServerError({ message: 'duplicate', code: 11_000 })], [null], ['text']])(
    'finds nothing in %s',
    (error) => {
      expect(storeTrouble(error)).toBeNull();
    },
  );

  it('ends on causes that go in a circle', () => {
    const error = new Error('a');
    error.cause = error;
    expect(storeTrouble(error)).toBeNull();
  });
});

describe('isRefused', () => {
  const bulk = (...codes: number[]): MongoBulkWriteError =>
    new MongoBulkWriteError({ message: 'failed', writeErrors: codes.map((code) => ({ code })) } as never, {} as never);

  it.each([
    ['a rule of the collection', bulk(11_000, 121), true],
    ['a document that can’t be sent', new BSON.BSONError('out of range'), true],
    ['duplicates alone', bulk(11_000), false],
    ['a conflict that passes', bulk(112), false],
    ['a command that is refused as a whole', new MongoServerError({ message: 'no journal', code: 2 }), false],
    ['a lost connection', new MongoNetworkError('gone'), false],
    ['nothing', null, false],
  ])('tells whether a document is at fault by %s', (_what, error, expected) => {
    expect(isRefused(error)).toBe(expected);
  });
});
