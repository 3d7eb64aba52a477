import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issueAdminKey } from '../../../api/admin/issue-key.ts';
import { systemClock } from '../../../core/clock.ts';
import { createSecretBox } from '../../../core/secret-box.ts';
import { createKeyStore, type KeyStore } from '../../../store/keys.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';

const secretBox = createSecretBox(randomBytes(32).toString('base64'));
let database: TestDatabase;
let keys: KeyStore;

beforeAll(async () => {
  database = await openTestDatabase();
  keys = createKeyStore(database.db);
});
afterAll(() => database.release());
beforeEach(async () => void (await database.db.collection('keys').deleteMany({})));

const issue = (another = false) => issueAdminKey({ keys, secretBox, clock: systemClock }, another);

describe('the first admin key', () => {
  it('is made once when its owner has been shown it', async () => {
    await (await issue())?.markShown();
    expect(await issue()).toBeUndefined();
    expect((await keys.listAdmins()).map(({ name }) => name)).toEqual(['first admin key']);
  });

  it('is made again when the start that made it ended before it could show it', async () => {
    const lost = await issue();
    const shown = await issue();
    expect(shown?.secret).toMatch(/^sk-fl-/);
    expect(shown?.secret).not.toBe(lost?.secret);
    await shown?.markShown();
    expect(await issue()).toBeUndefined();
  });

  it('counts as shown when it is from before that was noted', async () => {
    const key = {
      keyId: 'key_old',
      name: 'first admin key',
      admin: true,
      planLanes: true,
      createdAt: 1,
      revokedAt: null,
    };
    await keys.insert({ _id: 'hash', ...key });
    expect(await issue()).toBeUndefined();
  });

  it('is joined by another one when that is asked for', async () => {
    await (await issue())?.markShown();
    await (await issue(true))?.markShown();
    const names = (await keys.listAdmins()).map(({ name }) => name);
    expect(names.toSorted()).toEqual(['first admin key', 'further admin key']);
  });
});
