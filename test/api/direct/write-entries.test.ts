import { MongoClient, MongoServerError } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { DirectEntry } from '../../../api/direct/direct-entry.ts';
import { createWriteEntries } from '../../../api/direct/write-entries.ts';
import { createLaneLogStore, type LaneLogDoc, type LaneLogStore } from '../../../store/lane-log.ts';
import { createLedgerStore, type LedgerStore } from '../../../store/ledger.ts';
import { storeTrouble } from '../../../store/store-trouble.ts';
import { createCutOff, type CutOff } from '../../support/cut-off.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { keptLog } from '../../support/planted.ts';

let database: TestDatabase;
let way: CutOff;
let client: MongoClient;
let stores: { readonly ledger: LedgerStore; readonly laneLog: LaneLogStore };
beforeAll(async () => {
  database = await openTestDatabase();
  way = await createCutOff(inject('mongodbUri'));
  // Gives up soon: how long a server is waited for is not what is looked at here.
  client = new MongoClient(way.address, { serverSelectionTimeoutMS: 300, ignoreUndefined: true });
  const db = client.db(database.db.databaseName);
  stores = { ledger: createLedgerStore(db), laneLog: createLaneLogStore(db) };
});
beforeEach(async () => {
  await mend();
  await database.db.collection('ledger').deleteMany({});
  await database.db.collection('lane_log').deleteMany({});
});
afterAll(async () => {
  await client.close();
  await way.close();
  await database.release();
});

/** Resolves when the client has seen that its server is back. */
async function mend(): Promise<void> {
  way.mend();
  const ping = async (): Promise<unknown> => (await client.db('admin').command({ ping: 1 }))['ok'];
  await expect.poll(() => ping().catch(() => 0)).toBe(1);
}

const entry = (id: string): DirectEntry => ({
  log: { _id: id, at: 1 } as LaneLogDoc,
  ledger: {
    _id: `${id}#1.1`,
    itemId: id,
    batchId: null,
    keyId: 'k',
    laneId: 'a',
    costMicros: 1,
    meterMicros: 1,
    at: 1,
  },
});

const failureOf = (write: Promise<unknown>): Promise<unknown> =>
  write.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('books that are written while the database comes and goes', () => {
  it('are known not to be at fault', async () => {
    way.cut();
    for (let again = 0; again < 3; again += 1) {
      expect(storeTrouble(await failureOf(stores.ledger.settle([entry('a').ledger!])))).toBe('away');
      expect(storeTrouble(await failureOf(stores.laneLog.insertMissing([entry('a').log])))).toBe('away');
    }
  });

  it('lose no entry to which the database is away again after it has taken the others', async () => {
    const { log, lines } = keptLog();
    const [a, b] = [entry('a'), entry('b')];
    let together = 0;
    const settle: LedgerStore['settle'] = async (rows) => {
      // Away until they are tried one by one, whenever `a` is tried alone, and at no other time.
      const isAway = rows.length > 1 ? (together += 1) <= 5 : rows[0]?.itemId === 'a' && together <= 5;
      if (isAway) way.cut();
      else await mend();
      await stores.ledger.settle(rows);
    };
    const write = createWriteEntries({ laneLog: stores.laneLog, ledger: { settle }, log })();
    let left: readonly DirectEntry[] = [a, b];
    for (let tries = 0; left.length > 0 && tries < 9; tries += 1) {
      const done = await write(left, left.length);
      left = left.filter((one) => !done.has(one));
    }
    expect(lines.filter((line) => line.includes('it is here alone'))).toEqual([]);
    expect(left).toEqual([]);
    for (const id of ['a', 'b']) {
      expect(await database.db.collection<LaneLogDoc>('lane_log').countDocuments({ _id: id })).toBe(1);
      expect(await database.db.collection('ledger').countDocuments({ itemId: id })).toBe(1);
    }
  });

  it('set an entry aside whose write fails as a whole again and again, each time after others were taken', async () => {
    const { log, lines } = keptLog();
    const bad = entry('bad');
    const settle: LedgerStore['settle'] = async (rows) => {
      if (rows.some(({ itemId }) => itemId === 'bad'))
        throw new MongoServerError({ message: 'new of its kind', code: 1 });
      await stores.ledger.settle(rows);
    };
    const write = createWriteEntries({ laneLog: stores.laneLog, ledger: { settle }, log })();
    let tries = 0;
    for (let isDone = false; !isDone && tries < 20; tries += 1) {
      isDone = (await write([bad, entry(`beside ${tries}`)], 2)).has(bad);
    }
    // Five times together with others, and then five times alone.
    expect(tries).toBe(10);
    expect(lines.filter((line) => line.includes('it is here alone'))).toHaveLength(1);
  });

  it('lose no entry that fails as a whole again and again while no other is taken', async () => {
    const { log } = keptLog();
    const failure = new MongoServerError({ message: 'not authorized', code: 13 });
    const write = createWriteEntries({ ...stores, ledger: { settle: () => Promise.reject(failure) }, log })();
    for (let tries = 0; tries < 12; tries += 1) expect((await write([entry('a'), entry('b')], 2)).size).toBe(0);
  });
});
