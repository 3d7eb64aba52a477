import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startDirectPath } from '../../../api/direct/start-direct-path.ts';
import { createUnderWay } from '../../../api/under-way.ts';
import { systemClock } from '../../../core/clock.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { createShutdown } from '../../../core/shutdown.ts';
import type { LaneLogDoc, LaneLogStore } from '../../../store/lane-log.ts';
import { laneSecretPlace, type LaneStore } from '../../../store/lanes.ts';
import type { LedgerStore } from '../../../store/ledger.ts';
import { startOpenaiApi, type OpenaiApi } from '../../standins/openai/api.ts';
import { keptLog, plantLane, plantLaneDoc } from '../../support/planted.ts';

let openai: OpenaiApi;
let dataDir: string;
beforeEach(async () => {
  openai = await startOpenaiApi({});
  dataDir = await mkdtemp(join(tmpdir(), 'flatlane-test-'));
});
afterEach(async () => {
  await openai.close();
  await rm(dataDir, { recursive: true, force: true });
});

it('writes down what its stop has broken off, and that its cost is not known', async () => {
  const { log, lines } = keptLog();
  const shutdown = createShutdown(log);
  const written: LaneLogDoc[] = [];
  const stored = { isOpen: true };
  shutdown.add('database', 5_000, async () => void (stored.isOpen = false));
  const secretBox = createSecretBox(newMasterKey());
  const underWay = createUnderWay();
  const direct = await startDirectPath({
    lanes: { transition: async () => null } as unknown as LaneStore,
    laneLog: {
      insertMissing: async (entries: readonly LaneLogDoc[]) => {
        if (!stored.isOpen) throw new Error('the database is closed');
        written.push(...entries);
      },
    } as unknown as LaneLogStore,
    ledger: { settle: async () => undefined } as unknown as LedgerStore,
    secretBox,
    dataDir,
    underWay,
    clock: systemClock,
    log,
    shutdown,
  });
  const sealedKey = secretBox.seal(openai.key, laneSecretPlace('k'));
  await direct.watch(
    Promise.resolve([plantLaneDoc('k', { baseUrl: openai.url, sealedKey, allowPrivateAddresses: true })]),
  );
  // Its caller stays to the end: nothing but the stop of the lanes ends the call.
  const running = direct.runDirect({
    requestId: 'req_1',
    operation: 'chat',
    keyId: 'key_1',
    model: 'm',
    body: { model: 'm', messages: [{ role: 'user', content: '[[hang]]' }] },
    stream: false,
    plan: [plantLane('k', { kind: 'key' })],
    signal: new AbortController().signal,
    onChunk: async () => true,
  });
  underWay.add(running);
  await expect.poll(() => openai.counts().calls).toBe(1);

  await shutdown.run();
  expect(await running).toMatchObject({ type: 'failed' });
  expect(written).toMatchObject([{ _id: 'req_1', status: 'failed', costMicros: null }]);
  expect(await readdir(join(dataDir, 'journal'))).toEqual([]);
  expect(lines.filter((line) => line.includes('a phase of the shutdown failed'))).toEqual([]);
});
