import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';
import { PATIENT } from '../support/patience.ts';

let apart: Apart;

beforeAll(async () => {
  apart = await startApart({});
  const { admin, openai } = apart;
  const laneId = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key, concurrency: 8 });
  await admin.call('PUT', '/admin/routes/direct', { lanes: [{ laneId }] });
  await admin.call('PUT', '/admin/routes/durable', { lanes: [{ laneId }], direct: false });
});
afterAll(() => apart.stop());

it('cuts what is not over after half a minute when the api is stopped, and writes all of it down', async () => {
  const { api, openai, openaiClient, stores } = apart;
  const ask = (model: string): Promise<unknown> =>
    openaiClient.chat.completions
      .create({ model, messages: [{ role: 'user', content: '[[hang]]' }] }, { maxRetries: 0 })
      .catch((error: unknown) => error);
  const asked = [ask('direct'), ask('durable')];
  await expect.poll(() => openai.counts().calls).toBe(2);

  expect(await api.stop()).toBe(0);
  for (const error of await Promise.all(asked)) expect(error).toBeInstanceOf(Error);
  expect(api.output()).not.toContain('a phase of the shutdown failed');
  // The direct one is there when the process is gone; the other one is its worker's, which has been told to end it.
  expect(await stores.laneLog.list({ limit: 10 })).toContainEqual(
    expect.objectContaining({ model: 'direct', status: 'failed', costMicros: null }),
  );
  await vi.waitFor(async () => {
    const entries = await stores.laneLog.list({ limit: 10 });
    expect(new Set(entries.map(({ model, status }) => `${model} ${status}`))).toEqual(
      new Set(['direct failed', 'durable failed']),
    );
    expect(entries.map(({ attempts }) => attempts.map(({ outcome }) => outcome))).toEqual([
      ['cancelled'],
      ['cancelled'],
    ]);
  }, PATIENT);
  expect(openai.counts().calls).toBe(2);
});
