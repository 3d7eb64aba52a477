import {
  BSON,
  MongoBulkWriteError,
  MongoInvalidArgumentError,
  MongoNetworkError,
  MongoServerError,
  MongoWriteConcernError,
} from 'mongodb';
import { describe, expect, it } from 'vitest';
import { connectDatabase } from '../../store/database.ts';
import { isRefused, namesDocument, storeTrouble } from '../../store/store-trouble.ts';

/** What an insert of many throws, as the driver makes it of its own failure or of what the server says. */
const bulkOf = (failure: unknown): MongoBulkWriteError => new MongoBulkWriteError(failure as never, {} as never);
const bulk = (...codes: number[]): MongoBulkWriteError =>
  bulkOf({ message: 'failed', code: codes[0], writeErrors: codes.map((code) => ({ code })) });

describe('storeTrouble', () => {
  it.each([
    ['what MongoDB answers', new MongoServerError({ message: 'no room', code: 14_031 })],
    ['what the system says', Object.assign(new Error('write'), { code: 'ENOSPC' })],
    ['what the embedded server passes on', new MongoServerError({ message: 'Unknown error: No space left on device' })],
    ['a quota', new Error('Disk quota exceeded')],
    ['what stands behind another failure', new Error('failed', { cause: new Error('File too large') })],
    ['a full disk behind a lost connection', new MongoNetworkError('gone', { cause: new Error('ENOSPC') })],
    ['the same of an insert of many', bulkOf(new MongoNetworkError('gone', { cause: new Error('ENOSPC') }))],
    ['what it says of one document of many', bulk(11_000, 14_031)],
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

  it.each([
    ['PrimarySteppedDown', 189],
    ['NotWritablePrimary', 10_107],
    ['InterruptedAtShutdown', 11_600],
    ['InterruptedDueToReplStateChange', 11_602],
    ['NotPrimaryNoSecondaryOk', 13_435],
    ['NotPrimaryOrSecondary', 13_436],
    ['ShutdownInProgress', 91],
  ])('knows a server that ends or steps down, by %s', (message, code) => {
    const failure = new MongoServerError({ message, code });
    expect(storeTrouble(failure)).toBe('away');
    expect(storeTrouble(bulkOf(failure))).toBe('away');
    expect(storeTrouble(bulk(11_000, code))).toBe('away');
    const writeConcernError = { code, errmsg: message };
    expect(storeTrouble(new MongoWriteConcernError({ ok: 1, writeConcernError }))).toBe('away');
    expect(storeTrouble(bulkOf({ message, code }))).toBe('away');
  });

  it('knows what is worth a repeat by the label that a server gives it', () => {
    const failure = new MongoServerError({ message: 'new of its kind', code: 1, errorLabels: ['RetryableWriteError'] });
    expect(storeTrouble(failure)).toBe('away');
    expect(storeTrouble(bulkOf(failure))).toBe('away');
  });

  it('knows a lost connection behind an insert of many', () => {
    expect(storeTrouble(bulkOf(new MongoNetworkError('gone')))).toBe('away');
    expect(storeTrouble(new Error('failed', { cause: bulkOf(new MongoNetworkError('gone')) }))).toBe('away');
  });

  it.each([
    [new Error('a bug')],
    [Object.assign(new Error('a bug'), { code: 91 })],
    [new MongoServerError({ message: 'duplicate', code: 11_000 })],
    [bulk(11_000)],
    [bulkOf(new MongoServerError({ message: 'not authorized', code: 13 }))],
    [null],
    ['text'],
  ])('finds nothing in %s', (error) => {
    expect(storeTrouble(error)).toBeNull();
  });

  it('ends on causes that go in a circle', () => {
    const error = new Error('a');
    error.cause = error;
    expect(storeTrouble(error)).toBeNull();
  });
});

describe('isRefused', () => {
  it.each([
    ['a rule of the collection', bulk(11_000, 121), true],
    ['a document that can’t be sent', new BSON.BSONError('out of range'), true],
    ['duplicates alone', bulk(11_000), false],
    ['a conflict that passes', bulk(112), false],
    ['a command that is refused as a whole', new MongoServerError({ message: 'no journal', code: 2 }), false],
    ['a document that can’t be sent with many', bulkOf(new BSON.BSONError('out of range')), true],
    ['a lost connection', new MongoNetworkError('gone'), false],
    ['nothing', null, false],
  ])('tells whether a document is at fault by %s', (_what, error, expected) => {
    expect(isRefused(error)).toBe(expected);
  });
});

describe('namesDocument', () => {
  it.each([
    ['a rule of the collection', bulk(121), true],
    ['a conflict', bulk(112), true],
    ['a document that can’t be sent', new BSON.BSONError('out of range'), true],
    ['a document that is too large', new MongoInvalidArgumentError('larger than the maximum size'), true],
    ['a lost connection', bulkOf(new MongoNetworkError('gone')), false],
    ['a command that is refused as a whole', bulkOf(new MongoServerError({ message: 'no', code: 13 })), false],
    ['a bug', new Error('a bug'), false],
    ['nothing', null, false],
  ])('tells whether it was one document that failed by %s', (_what, error, expected) => {
    expect(namesDocument(error)).toBe(expected);
  });
});
