import { expect, it } from 'vitest';
import { createMakeQuote } from '../../../api/quotes/make-quote.ts';
import type { MeteredConsent } from '../../../core/contracts/metered-consent.ts';
import { readBatchCreate } from '../../../core/wire/batch-create.ts';
import { createLaneDirectory } from '../../../lanes/policy/lane-directory.ts';
import { createMovableClock } from '../../support/movable-clock.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const clock = createMovableClock();
const lanes = [plantLaneDoc('meter')];
const makeQuote = createMakeQuote({
  directory: createLaneDirectory({ listLanes: async () => lanes, listRoutes: async () => [], clock }),
  lanes: { list: async () => lanes },
  laneLog: { answersOf: async () => [], servedBy: async () => [] },
  windowSamples: { list: async () => [] },
  clock,
});
const file = {
  models: [
    {
      model: 'm',
      lines: 3,
      promptTokens: { low: 3, high: 6 },
      attachments: 0,
      limitedLines: 0,
      limitTokens: 0,
      tiers: {},
    },
  ],
  invalid: 0,
  firstInvalid: null,
};

it.each<[metered: MeteredConsent, metadata: Record<string, string>, served: boolean]>([
  ['auto', {}, true],
  ['ask', {}, false],
  ['ask', { max_metered_usd: '2.50' }, true],
  ['never', { max_metered_usd: '2.50' }, false],
])('a key with %s counts on metered lanes for a batch with %o: %s', async (metered, metadata, served) => {
  const create = readBatchCreate({
    input_file_id: 'file-1',
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata,
  });
  const caller = { keyId: 'key_1', name: 'app', admin: false, planLanes: true, metered };
  const { models } = await makeQuote(create, file, caller);
  expect(models).toMatchObject([{ served, key_lanes: served ? ['meter'] : [] }]);
});
