import { describe, expect, it } from 'vitest';
import { newKeyLane } from '../../../api/admin/new-key-lane.ts';
import { toLaneView } from '../../../api/admin/lane-view.ts';
import { ApiError } from '../../../core/errors.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import { laneHeadersPlace, laneSecretPlace } from '../../../store/lanes.ts';

const secretBox = createSecretBox(newMasterKey());
const checked: (readonly [string, boolean])[] = [];
const build = (body: object) =>
  newKeyLane(
    { secretBox, now: 5, checkAddress: async (url, allowed) => void checked.push([url, allowed]) },
    { alias: 'a', apiKey: 'sk-a', ...body },
  );
const refusal = async (body: object): Promise<ApiError> => {
  const error: unknown = await build(body).catch((caught: unknown) => caught);
  if (error instanceof ApiError) return error;
  throw new Error('it was not refused');
};

describe('a new key lane', () => {
  it('takes address and header from its preset', async () => {
    const lane = await build({ preset: 'openrouter' });
    expect(lane).toMatchObject({
      baseUrl: 'https://openrouter.ai/api/v1',
      allowPrivateAddresses: false,
      models: ['*'],
    });
    expect(lane.keySettings).toMatchObject({ preset: 'openrouter', authHeader: 'authorization' });
  });

  it('checks a preset’s address as any other, with what the preset needs', async () => {
    await build({ preset: 'ollama' });
    expect(checked.at(-1)).toEqual(['http://localhost:11434/v1', true]);
  });

  it('lets the owner say otherwise', async () => {
    const own = { baseUrl: 'https://eu.example/v1', authHeader: 'X-Key', allowPrivateAddresses: true };
    const lane = await build({ preset: 'openai', ...own });
    expect(lane).toMatchObject({ baseUrl: 'https://eu.example/v1', allowPrivateAddresses: true });
    expect(lane.keySettings?.authHeader).toBe('x-key');
  });

  it('needs an address where the preset has none, and shows how it looks', async () => {
    const error = await refusal({ preset: 'azure' });
    expect([error.status, error.param]).toEqual([400, 'baseUrl']);
    expect(error.message).toContain('openai.azure.com');
    expect((await refusal({})).param).toBe('baseUrl');
  });

  it('needs a key, but for servers that have none', async () => {
    expect((await refusal({ preset: 'openai', apiKey: undefined })).param).toBe('apiKey');
    expect((await build({ preset: 'vllm', apiKey: undefined })).sealedKey).not.toBeNull();
  });

  it('seals key and headers, each for its place, and shows neither', async () => {
    const lane = await build({ preset: 'openai', headers: { 'X-Secret': 'hidden-value' } });
    expect(secretBox.open(lane.sealedKey ?? '', laneSecretPlace(lane._id))).toBe('sk-a');
    const sealed = lane.keySettings?.sealedHeaders ?? '';
    expect(JSON.parse(secretBox.open(sealed, laneHeadersPlace(lane._id)))).toEqual({ 'X-Secret': 'hidden-value' });
    expect(JSON.stringify(lane)).not.toContain('hidden-value');
    expect(JSON.stringify(toLaneView(lane))).not.toMatch(/hidden-value|sealed/);
    expect(toLaneView(lane)).toMatchObject({ hasHeaders: true, preset: 'openai' });
  });

  it('keeps names of models as values, and has the models of its map alone where it says no more', async () => {
    const lane = await build({ preset: 'azure', baseUrl: 'https://x.example/v1', modelMap: { 'a.b': '$set' } });
    expect(lane.keySettings?.modelMap).toEqual([{ asked: 'a.b', upstream: '$set' }]);
    expect(lane.models).toEqual([]);
  });

  it('takes cached input at the price of input where nothing else is said', async () => {
    const lane = await build({ preset: 'openai', prices: { m: { inputUsd: 2, outputUsd: 8 } } });
    expect(lane.keySettings?.prices).toEqual([{ model: 'm', inputUsd: 2, cachedInputUsd: 2, outputUsd: 8 }]);
  });

  it.each<[string, object]>([
    ['an unknown preset', { preset: 'nobody' }],
    ['a header of the request itself', { preset: 'openai', headers: { Host: 'x' } }],
    ['a header with a line break', { preset: 'openai', headers: { 'x-a': 'b\r\nc: d' } }],
    ['a header without a name', { preset: 'openai', headers: { 'x a': 'b' } }],
    ['a price below nothing', { preset: 'openai', prices: { m: { inputUsd: -1, outputUsd: 1 } } }],
    ['an empty name of a model', { preset: 'openai', modelMap: { a: '' } }],
    ['an address that is none', { baseUrl: 'ftp://x.example' }],
  ])('is refused with %s', async (_, body) => {
    expect((await refusal(body)).status).toBe(400);
  });
});
