import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CompletionCall } from '../../../api/completions/run-completion.ts';
import { ADMIN_KEY, createApiWorld, type ApiWorld } from '../../support/api-world.ts';
import { plantLaneDoc } from '../../support/planted.ts';

let api: ApiWorld;
let ran: string[];

beforeEach(async () => {
  api = await createApiWorld();
  ran = [];
  const running = (how: string) => async (call: CompletionCall) => {
    ran.push(`${how} ${call.plan.map(({ laneId }) => laneId).join('+')}`);
    const meta = { laneId: 'k', laneAlias: 'k', attempts: 1, costMicros: 1, meterMicros: 1, ignoredParams: [] };
    return { type: 'done', body: '{}', meta } as const;
  };
  api.world.runCompletion = running('workflow');
  api.world.runDirect = running('direct');
});
afterEach(() => api.close());

const ask = (headers: Record<string, string> = {}) =>
  api.publicApp.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', ...headers },
    payload: { model: 'm', messages: [{ role: 'user', content: 'hi' }] },
  });

describe('a completion', () => {
  it('is served directly where there are key lanes only', async () => {
    expect((await ask()).statusCode).toBe(200);
    expect(ran).toEqual(['direct k']);
  });

  it('with an Idempotency-Key runs as a workflow', async () => {
    await ask({ 'idempotency-key': 'one' });
    expect(ran).toEqual(['workflow k']);
  });

  it.each(['ready', 'needs_login'] as const)('runs as a workflow where a plan lane is %s', async (state) => {
    api.world.lanes = [plantLaneDoc('p', { kind: 'plan', state }), plantLaneDoc('k')];
    await ask();
    expect(ran).toEqual([state === 'ready' ? 'workflow p+k' : 'workflow k']);
  });
});
