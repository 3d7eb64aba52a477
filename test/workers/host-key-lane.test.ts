import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';
import type { HostedLane } from '../../lanes/policy/hosted-lane.ts';
import { laneSecretPlace, type LaneDoc, type LaneStore } from '../../store/lanes.ts';
import type { Hosted } from '../../workers/hosted.ts';
import { hostKeyLane } from '../../workers/host-key-lane.ts';
import { startOpenaiApi, type OpenaiApi } from '../standins/openai/api.ts';
import { keptLog, plantFailure, plantLaneDoc } from '../support/planted.ts';
import { PATIENT } from '../support/patience.ts';

const secretBox = createSecretBox(newMasterKey());
const sealed = (key: string): string => secretBox.seal(key, laneSecretPlace('k'));
const never = new AbortController().signal;
let openai: OpenaiApi;
let doc: LaneDoc;
let hosted: Hosted;
let transitions: unknown[];
let lines: string[];

const ask = (lane: HostedLane, content = 'hello') =>
  lane.lane.complete({
    requestId: 'req_1',
    body: { messages: [{ role: 'user', content }] },
    model: 'm',
    stream: false,
    deadlineAt: Date.now() + 10_000,
    signal: never,
    onChunk: async () => undefined,
  });

beforeEach(async () => {
  openai = await startOpenaiApi({});
  transitions = [];
  const kept = keptLog();
  ({ lines } = kept);
  doc = plantLaneDoc('k', { baseUrl: openai.url, sealedKey: sealed('wrong'), allowPrivateAddresses: true });
  const transition = (async (...args: unknown[]) => void transitions.push(args)) as unknown as LaneStore['transition'];
  hosted = hostKeyLane({ lanes: { transition }, secretBox, clock: systemClock, log: kept.log }, doc);
});
afterEach(async () => {
  await hosted.stop();
  await openai.close();
});

describe('a hosted key lane', () => {
  it('takes up another key, and ends what is under way as it began', async () => {
    const before = hosted.lane;
    const release = await before.acquire('interactive', never);
    const renewed = { ...doc, sealedKey: sealed(openai.key) };
    hosted.refresh(renewed);
    expect(await ask(before)).toMatchObject({ ok: false, failure: { class: 'unauthorized' } });
    expect(await ask(hosted.lane)).toMatchObject({ ok: true });
    // With the key that it was opened with, so that the store can see that it is not the lane's any more.
    await before.reportFailure(plantFailure('unauthorized'));
    expect(transitions).toMatchObject([['k', 'needs_key', expect.any(Number), { sealedKey: doc.sealedKey }]]);
    expect(hosted.lane.availability()).toEqual({ open: true });
    release();
    hosted.refresh(renewed);
    expect(await ask(hosted.lane)).toMatchObject({ ok: true });
  });

  it('stays the same while nothing changes that it was opened with', () => {
    const before = hosted.lane;
    hosted.refresh({ ...doc, alias: 'renamed', rank: 9, concurrency: 2, state: 'off', stateChangedAt: 5 });
    expect(hosted.lane).toBe(before);
    expect(before.availability()).toMatchObject({ open: false });
  });

  it('admits as many as its owner wants now', async () => {
    hosted.refresh({ ...doc, concurrency: 1 });
    const release = await hosted.lane.acquire('interactive', never);
    let admitted = false;
    const second = hosted.lane.acquire('interactive', never).then((over) => {
      admitted = true;
      return over;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([admitted, hosted.lane.inFlight?.()]).toEqual([false, 1]);
    // More than its worker takes tasks: another one is needed, and not while something is under way.
    hosted.refresh({ ...doc, concurrency: doc.concurrency + 1 });
    (await second)();
    expect(hosted.lost()).toBe(false);
    release();
    expect(hosted.lost()).toBe(true);
  });

  it('ends what is under way at the provider’s Batch API as it began, when its settings and its size change', async () => {
    doc = { ...doc, sealedKey: sealed(openai.key) };
    hosted.refresh(doc);
    const before = hosted.lane;
    const { providerBatches } = before;
    if (providerBatches === undefined) throw new Error('a key lane has a Batch API');
    let sendOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (sendOn = resolve));
    let isBegun = false;
    async function* lines(): AsyncGenerator<string> {
      const body = { model: 'm', messages: [{ role: 'user', content: 'hello' }] };
      const line = { custom_id: 'line-1', method: 'POST', url: '/v1/chat/completions', body };
      yield `${JSON.stringify(line)}\n`;
      isBegun = true;
      await held;
    }
    const request = { marker: 'a', endpoint: '/v1/chat/completions', lines: lines() };
    const sending = providerBatches.whileUnderWay(() => providerBatches.api.create(request));
    await vi.waitFor(() => expect(isBegun).toBe(true), PATIENT);
    // It is no load that lanes would be shared by.
    expect(before.inFlight?.()).toBe(0);
    const keySettings = { preset: null, authHeader: 'authorization', sealedHeaders: null, modelMap: [], prices: [] };
    for (const changed of [
      { ...doc, concurrency: doc.concurrency + 1 },
      { ...doc, concurrency: doc.concurrency + 1, keySettings },
    ]) {
      hosted.refresh(changed);
      expect(hosted.lost()).toBe(false);
    }
    sendOn();
    expect(await sending).toMatchObject({ status: 'running' });
    hosted.refresh({ ...doc, concurrency: doc.concurrency + 1, keySettings });
    expect(hosted.lost()).toBe(true);
  });

  it('is given up when its new settings can’t be opened', async () => {
    hosted.refresh({ ...doc, sealedKey: 'sealed with another key' });
    expect(hosted.lost()).toBe(true);
    await vi.waitFor(() => expect(lines.join()).toContain('could not be opened'), PATIENT);
  });
});
