import { expect, it, vi } from 'vitest';
import { startHostBeat } from '../../workers/host-beat.ts';
import { keptLog, plantLaneDoc } from '../support/planted.ts';
import { PATIENT } from '../support/patience.ts';

it('counts up for the accounts that this process serves, at once, and for nothing else', async () => {
  const docs = [plantLaneDoc('here', { kind: 'plan' }), plantLaneDoc('elsewhere', { kind: 'plan' }), plantLaneDoc('k')];
  const beats: (readonly string[])[] = [];
  const stop = startHostBeat({
    lanes: { list: async () => docs, beat: async (ids) => void beats.push(ids) },
    isServed: (laneId) => laneId !== 'elsewhere',
    log: keptLog().log,
  });
  await vi.waitFor(() => expect(beats).toEqual([['here']]), PATIENT);
  await stop();
});

it('goes on when the database is away', async () => {
  const { log, lines } = keptLog();
  const list = () => Promise.reject(new Error('the database is away'));
  const stop = startHostBeat({ lanes: { list, beat: async () => {} }, isServed: () => true, log });
  await vi.waitFor(() => expect(lines.join('')).toContain('the database is away'), PATIENT);
  await stop();
});
