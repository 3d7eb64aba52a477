import { describe, expect, it } from 'vitest';
import { editKeyLane } from '../../../api/admin/edit-key-lane.ts';
import { ApiError } from '../../../core/errors.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { laneHeadersPlace, laneSecretPlace, type LaneDoc } from '../../../store/lanes.ts';
import { plantLaneDoc } from '../../support/planted.ts';

const secretBox = createSecretBox(newMasterKey());
const SETTINGS = { preset: null, authHeader: 'authorization', sealedHeaders: null, modelMap: [], prices: [] };
const lane = plantLaneDoc('k', {
  baseUrl: 'https://one.example/v1',
  sealedKey: secretBox.seal('sk-old', laneSecretPlace('k')),
  keySettings: SETTINGS,
});
const withHeaders: LaneDoc = {
  ...lane,
  keySettings: { ...SETTINGS, sealedHeaders: secretBox.seal('{"x-a":"hidden"}', laneHeadersPlace('k')) },
};
const checked: (readonly [string, boolean])[] = [];
const edit = (body: unknown, of = lane) =>
  editKeyLane(
    {
      secretBox,
      checkAddress: async (url, allowed) => {
        checked.push([url, allowed]);
        if (url.includes('10.0.0.1') && !allowed) throw new ApiError('invalid_value', 'private', { param: 'baseUrl' });
      },
    },
    of,
    body,
  );
const refusal = async (body: unknown, of = lane): Promise<ApiError> => {
  const error: unknown = await edit(body, of).catch((caught: unknown) => caught);
  if (error instanceof ApiError) return error;
  throw new Error('it was not refused');
};
const keyIn = (sealed: string | null | undefined): string => secretBox.open(sealed ?? '', laneSecretPlace('k'));

describe('a change of a key lane', () => {
  it('has what was given and nothing else', async () => {
    expect(await edit({ alias: 'b', rank: 3, concurrency: 9, models: ['m'] })).toEqual({
      edit: { alias: 'b', rank: 3, concurrency: 9, models: ['m'] },
      isRenewed: false,
    });
    expect(await edit({ modelMap: { a: 'b' }, prices: { b: { inputUsd: 1, outputUsd: 2 } } })).toEqual({
      edit: {
        keySettings: {
          modelMap: [{ asked: 'a', upstream: 'b' }],
          prices: [{ model: 'b', inputUsd: 1, cachedInputUsd: 1, outputUsd: 2 }],
        },
      },
      isRenewed: false,
    });
    expect((await edit({ modelMap: {}, headers: {} }, withHeaders)).edit).toEqual({
      keySettings: { modelMap: [], sealedHeaders: null },
    });
  });

  it('seals a new key and new headers', async () => {
    const { edit: changed, isRenewed } = await edit({ apiKey: 'sk-new', headers: { 'x-b': 'c' }, authHeader: 'X-Key' });
    expect(isRenewed).toBe(true);
    expect(keyIn(changed.sealedKey)).toBe('sk-new');
    const { sealedHeaders, authHeader } = changed.keySettings ?? {};
    expect(secretBox.open(sealedHeaders ?? '', laneHeadersPlace('k'))).toBe('{"x-b":"c"}');
    expect(authHeader).toBe('x-key');
    expect(JSON.stringify(changed)).not.toMatch(/sk-new|x-b/);
  });

  it('keeps the key at another path of its host, sealed anew', async () => {
    const { edit: changed, isRenewed } = await edit({ baseUrl: 'https://one.example/v2' });
    expect(isRenewed).toBe(true);
    expect(changed.sealedKey).not.toBe(lane.sealedKey);
    expect(keyIn(changed.sealedKey)).toBe('sk-old');
  });

  it('never sends a key or headers to a host for which they were not given', async () => {
    const elsewhere = { baseUrl: 'https://two.example/v1' };
    expect((await refusal(elsewhere)).param).toBe('apiKey');
    expect((await refusal({ ...elsewhere, apiKey: 'sk-b' }, withHeaders)).param).toBe('headers');
    expect((await refusal({ baseUrl: 'http://one.example/v1' })).param).toBe('apiKey');
    const { edit: changed } = await edit({ ...elsewhere, apiKey: 'sk-b', headers: {} }, withHeaders);
    expect(changed.keySettings?.sealedHeaders).toBeNull();
    const keyless = { ...lane, keySettings: { ...SETTINGS, preset: 'ollama' } };
    expect(keyIn((await edit(elsewhere, keyless)).edit.sealedKey)).toBe('none');
  });

  it('checks the address with what is allowed after it', async () => {
    const inside = { baseUrl: 'http://10.0.0.1/v1', apiKey: 'k' };
    expect((await refusal(inside)).param).toBe('baseUrl');
    await edit({ ...inside, allowPrivateAddresses: true });
    expect(checked.at(-1)).toEqual(['http://10.0.0.1/v1', true]);
    const allowed = { ...lane, baseUrl: inside.baseUrl, allowPrivateAddresses: true };
    expect((await refusal({ allowPrivateAddresses: false }, allowed)).param).toBe('baseUrl');
  });

  it.each([
    [{}, null],
    [{ preset: 'openai' }, null],
    [{ alias: '' }, 'alias'],
    [{ concurrency: 0 }, 'concurrency'],
    [{ rank: 0.5 }, 'rank'],
    [{ models: [] }, 'models'],
    [{ baseUrl: 'ftp://x' }, 'baseUrl'],
    [{ headers: { host: 'x' } }, 'headers'],
  ])('refuses %j', async (body, param) => {
    const error = await refusal(body);
    expect([error.status, error.param]).toEqual([400, param]);
  });
});
