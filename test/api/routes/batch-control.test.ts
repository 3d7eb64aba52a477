import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFileApi, type FileApi } from '../../support/file-api.ts';
import { openTestDatabase, type TestDatabase } from '../../support/mongodb.ts';
import { isUntold } from '../../../api/batches/tell-control.ts';
import { DEFAULT_CONTROL } from '../../../core/contracts/batch-control.ts';
import { newSpend } from '../../../core/contracts/batch-spend.ts';

let database: TestDatabase;
let api: FileApi;
beforeAll(async () => {
  database = await openTestDatabase();
  api = await startFileApi(database);
});
afterAll(async () => {
  await api.app.close();
  await database.release();
});

const post = (url: string, payload?: object, secret = api.secret) =>
  api.app.inject({
    method: 'POST',
    url: `/v1/batches/${url}`,
    headers: { authorization: `Bearer ${secret}` },
    ...(payload === undefined ? {} : { payload }),
  });
const putBatch = (given = {}) => api.putBatch('file-1', { ownerId: api.ownerId, status: 'in_progress', ...given });

describe('the control of a batch', () => {
  it('pauses and resumes it, wakes its workflow, and says how it runs now', async () => {
    const { _id } = await putBatch();
    const paused = await post(`${_id}/pause`);
    expect(paused.statusCode).toBe(200);
    expect(paused.json()).toEqual({
      id: _id,
      object: 'batch.control',
      status: 'in_progress',
      paused: true,
      priority: 'normal',
      spill: 'late',
      metered: 'auto',
      max_metered_usd: null,
      metered_usd: { paid: '0.00', held: '0.00', left: null },
    });
    expect((await post(`${_id}/pause`)).json()).toMatchObject({ paused: true });
    expect((await post(`${_id}/resume`)).json()).toMatchObject({ paused: false });
    expect(api.woken).toEqual([_id, _id, _id]);
    expect((await api.read(_id)).control.paused).toBe(false);
  });

  it.each([
    ['pause', undefined],
    ['resume', undefined],
    ['control', { priority: 'high', max_metered_usd: '1' }],
  ])('is changed by %s also when its workflow can not be told, which is left to the sweep', async (path, payload) => {
    const { _id } = await putBatch({ control: { ...DEFAULT_CONTROL, paused: path === 'resume' } });
    api.faults.tell = new Error('away');
    const untold = await post(`${_id}/${path}`, payload);
    delete api.faults.tell;
    expect([untold.statusCode, isUntold(await api.read(_id))]).toEqual([200, true]);
    expect(untold.json()).toMatchObject(payload === undefined ? { paused: path === 'pause' } : { priority: 'high' });
    expect((await post(`${_id}/${path}`, payload)).statusCode).toBe(200);
    expect(isUntold(await api.read(_id))).toBe(false);
  });

  it('changes priority, spill and consent, each by itself', async () => {
    const { _id } = await putBatch();
    expect((await post(`${_id}/control`, { priority: 'high' })).json()).toMatchObject({ priority: 'high' });
    expect((await post(`${_id}/control`, { spill: 'now', metered: 'never' })).json()).toMatchObject({
      priority: 'high',
      spill: 'now',
      metered: 'never',
    });
  });

  it('sets, raises, lowers and takes away the limit, with what is paid and held counted on', async () => {
    const spend = { ...newSpend(null), holds: { a: 300_000 }, paidMicros: 200_000 };
    const { _id } = await putBatch({ spend: { ...spend, roomMicros: spend.roomMicros - 500_000 } });
    const left = async (max: string | null): Promise<unknown> =>
      (await post(`${_id}/control`, { max_metered_usd: max })).json();
    expect(await left('2')).toMatchObject({
      max_metered_usd: '2.00',
      metered_usd: { paid: '0.20', held: '0.30', left: '1.50' },
    });
    expect(await left('0.6')).toMatchObject({ metered_usd: { left: '0.10' } });
    expect(await left('0.1')).toMatchObject({ metered_usd: { left: '0.00' } });
    expect(await left('2.000001')).toMatchObject({ metered_usd: { left: '1.500001' } });
    expect(await left(null)).toMatchObject({ max_metered_usd: null, metered_usd: { left: null } });
    expect((await api.read(_id)).spend.roomMicros).toBe(newSpend(null).roomMicros - 500_000);
  });

  it.each([
    [{}, 'missing_required_parameter', null],
    [{ priority: 'urgent' }, 'invalid_value', 'priority'],
    [{ spill: 1 }, 'invalid_value', 'spill'],
    [{ metered: 'yes' }, 'invalid_value', 'metered'],
    [{ max_metered_usd: 2 }, 'invalid_type', 'max_metered_usd'],
    [{ max_metered_usd: '-1' }, 'invalid_value', 'max_metered_usd'],
    [{ max_metered_usd: '1e3' }, 'invalid_value', 'max_metered_usd'],
  ])('refuses %o', async (payload, code, param) => {
    const { _id } = await putBatch();
    const response = await post(`${_id}/control`, payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { code, param } });
  });

  it('takes no other field', async () => {
    const { _id } = await putBatch();
    expect((await post(`${_id}/control`, { priority: 'low', status: 'completed' })).statusCode).toBe(400);
    expect((await api.read(_id)).control.priority).toBe('normal');
  });

  it.each(['failed', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled'] as const)(
    'is refused for a batch that is %s',
    async (status) => {
      const { _id } = await putBatch({ status });
      for (const [path, verb, payload] of [
        ['pause', 'pause', undefined],
        ['resume', 'resume', undefined],
        ['control', 'change', { max_metered_usd: '1' }],
      ] as const) {
        const response = await post(`${_id}/${path}`, payload);
        expect(response.statusCode).toBe(409);
        expect(response.json()).toMatchObject({
          error: { message: `Cannot ${verb} a batch with status '${status}'.`, code: null },
        });
      }
      expect(api.woken).not.toContain(_id);
      expect((await api.read(_id)).spend.maxMicros).toBeNull();
    },
  );

  it('shows another key nothing, and changes nothing for it', async () => {
    const { _id } = await api.putBatch('file-1', { ownerId: 'key_somebody', status: 'in_progress' });
    for (const path of ['pause', 'resume', 'control']) {
      expect((await post(`${_id}/${path}`, { priority: 'high' })).statusCode).toBe(404);
    }
    expect(await api.read(_id)).toMatchObject({ control: { paused: false, priority: 'normal' } });
    expect((await post('batch_none/pause')).statusCode).toBe(404);
  });
});

describe('a new batch', () => {
  it('takes its wishes from the metadata, which stay the caller’s', async () => {
    const metadata = { max_metered_usd: '1.25', flatlane_spill: 'now', flatlane_priority: 'low', team: 'a' };
    const batch = await api.client.batches.create({
      input_file_id: 'file-none',
      endpoint: '/v1/embeddings',
      completion_window: '24h',
      metadata,
    });
    expect(batch).toMatchObject({ endpoint: '/v1/embeddings', metadata });
    expect(await api.read(batch.id)).toMatchObject({
      control: { paused: false, priority: 'low', metered: 'auto', spill: 'now' },
      spend: { maxMicros: 1_250_000, roomMicros: 1_250_000, paidMicros: 0, holds: {} },
      waiting: null,
    });
  });

  it.each([
    ['max_metered_usd', 'much'],
    ['max_metered_usd', ''],
    ['max_metered_usd', '1.1234567'],
    ['max_metered_usd', '1000001'],
    ['flatlane_spill', 'never'],
    ['flatlane_priority', 'highest'],
  ])('is refused with %s %j', async (key, value) => {
    const response = await api.app.inject({
      method: 'POST',
      url: '/v1/batches',
      headers: { authorization: `Bearer ${api.secret}` },
      payload: {
        input_file_id: 'file-none',
        endpoint: '/v1/responses',
        completion_window: '24h',
        metadata: { [key]: value },
      },
    });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ error: { code: 'invalid_value', param: `metadata.${key}` } });
  });
});
