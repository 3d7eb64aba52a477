import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { connectDatabase, type Database } from '../../store/database.ts';
import { storeTrouble } from '../../store/store-trouble.ts';
import { createCutOff, type CutOff } from '../support/cut-off.ts';

/** Of the driver's own, before a command is bytes. */
const { OpMsgRequest } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  readonly OpMsgRequest: { readonly prototype: { toBin(): Promise<Uint8Array[]> } };
};

describe('a call whose connection is closed', () => {
  let way: CutOff;
  let database: Database;
  beforeEach(async () => {
    way = await createCutOff(inject('mongodbUri'));
    // Finds out soon that its server stands still: how long that takes is not what is looked at here.
    const address = new URL(way.address);
    address.searchParams.set('connectTimeoutMS', '500');
    address.searchParams.set('heartbeatFrequencyMS', '500');
    database = await connectDatabase(address.href, 'test_driver');
  });
  afterEach(async () => {
    await database.close();
    await way.close();
  });

  it('is repeated when that was before it could be written', async () => {
    const toBin = Reflect.get(OpMsgRequest.prototype, 'toBin');
    vi.spyOn(OpMsgRequest.prototype, 'toBin').mockImplementationOnce(async function cutMeanwhile(this: unknown) {
      const bytes = await toBin.call(this);
      way.cut();
      await sleep(200);
      way.mend();
      return bytes;
    });
    await expect(database.db.collection('things').findOne({})).resolves.toBeNull();
  });

  it('fails when that was while it waited for room', async () => {
    // So that there is a connection, which then stands still.
    await database.ping();
    const insert = database.db.collection('things').insertOne({ text: 'x'.repeat(15 * 1024 * 1024) });
    const ended = insert.catch((error: unknown) => error);
    way.stall();
    expect(storeTrouble(await ended)).toBe('away');
  });
});
