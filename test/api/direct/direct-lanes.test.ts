import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDirectLanes, type DirectLanes } from '../../../api/direct/direct-lanes.ts';
import { systemClock } from '../../../core/clock.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { laneSecretPlace, type LaneDoc } from '../../../store/lanes.ts';
import { startOpenaiApi, type OpenaiApi } from '../../standins/openai/api.ts';
import { keptLog, plantFailure, plantLaneDoc } from '../../support/planted.ts';

const secretBox = createSecretBox(newMasterKey());
let openai: OpenaiApi;
let lanes: DirectLanes;
let lines: string[];
let transitions: string[];

const doc = (id: string, more: Partial<LaneDoc> = {}): LaneDoc =>
  plantLaneDoc(id, {
    baseUrl: openai.url,
    sealedKey: secretBox.seal(openai.key, laneSecretPlace(id)),
    allowPrivateAddresses: true,
    ...more,
  });

const ask = (laneId: string, content = 'hello') =>
  lanes.find(laneId)?.lane.complete({
    requestId: 'req_1',
    body: { messages: [{ role: 'user', content }] },
    model: 'm',
    stream: false,
    deadlineAt: Date.now() + 10_000,
    signal: new AbortController().signal,
    onChunk: async () => undefined,
  });

beforeEach(async () => {
  openai = await startOpenaiApi({});
  const kept = keptLog();
  ({ lines } = kept);
  transitions = [];
  lanes = createDirectLanes({
    lanes: {
      transition: async (laneId, to) => {
        transitions.push(`${laneId} ${to}`);
        return null;
      },
    },
    secretBox,
    clock: systemClock,
    log: kept.log,
  });
});
afterEach(async () => {
  await lanes.stop();
  await openai.close();
});

describe('the key lanes of an api process', () => {
  it('serve when they are known, and no plan lane does', async () => {
    expect(lanes.find('a')).toBeUndefined();
    lanes.take([doc('a'), doc('p', { kind: 'plan' })]);
    expect(await ask('a')).toMatchObject({ ok: true });
    expect(lanes.find('p')).toBeUndefined();
  });

  it('stay the same while nothing of them changes, and take in their state', () => {
    lanes.take([doc('a', { sealedKey: 'x' })]);
    const first = doc('a');
    lanes.take([first]);
    const before = lanes.find('a');
    lanes.take([{ ...first, alias: 'renamed', concurrency: 9, state: 'off', stateChangedAt: 5 }]);
    expect(lanes.find('a')).toBe(before);
    expect(before?.availability()).toMatchObject({ open: false });
  });

  it('are opened anew when their settings change, and finish what is under way', async () => {
    const first = doc('a');
    lanes.take([first]);
    const before = lanes.find('a');
    const release = await before?.acquire('interactive', new AbortController().signal);
    const slow = ask('a', '[[delay:100]] hello');
    lanes.take([{ ...first, sealedKey: doc('a').sealedKey }]);
    expect(lanes.find('a')).not.toBe(before);
    expect(await slow).toMatchObject({ ok: true });
    release?.();
  });

  it('end when they are removed', () => {
    lanes.take([doc('a'), doc('b')]);
    lanes.take([doc('b')]);
    expect(lanes.find('a')).toBeUndefined();
    expect(lanes.find('b')).toBeDefined();
  });

  it('that can’t be opened are said once, and keep no other from serving', () => {
    const broken = doc('a', { sealedKey: null });
    lanes.take([broken, doc('b')]);
    lanes.take([broken, doc('b')]);
    expect(lanes.find('a')).toBeUndefined();
    expect(lanes.find('b')).toBeDefined();
    expect(lines.filter((line) => line.includes('could not be opened'))).toHaveLength(1);
  });

  it('change their state in the database by what their attempts say', async () => {
    lanes.take([doc('a')]);
    await lanes.find('a')?.reportFailure(plantFailure('unauthorized'));
    expect(transitions).toEqual(['a needs_key']);
    expect(lanes.find('a')?.availability()).toMatchObject({ open: false });
  });
});
