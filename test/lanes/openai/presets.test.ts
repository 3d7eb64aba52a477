import { describe, expect, it } from 'vitest';
import { parseBaseUrl } from '../../../lanes/openai/check-address.ts';
import { PRESET_NAMES, PROVIDER_PRESETS, type PresetName } from '../../../lanes/openai/presets.ts';
import { toProviderBody } from '../../../lanes/openai/request-body.ts';
import { unsupportedParam } from '../../../lanes/openai/unsupported-param.ts';

const STREAM = {
  body: { messages: [], stream: true, stream_options: { include_usage: true } },
  model: 'm',
  stream: true,
};

describe('presets of providers', () => {
  it.each(PRESET_NAMES)('%s has an address that a lane takes as it is, and says where its facts come from', (name) => {
    const { baseUrl, baseUrlExample, allowPrivateAddresses, sources } = PROVIDER_PRESETS[name];
    const address = baseUrl ?? baseUrlExample ?? '';
    expect(parseBaseUrl(address, { allowPrivateAddresses }).href.replace(/\/$/, '')).toBe(address);
    expect(sources.length).toBeGreaterThan(0);
    for (const source of sources) expect(new URL(source).protocol).toBe('https:');
  });

  it('are public and want a key, but for servers of the owner’s own', () => {
    const own = PRESET_NAMES.filter((name) => PROVIDER_PRESETS[name].allowPrivateAddresses);
    expect(own).toEqual(['ollama', 'vllm']);
    expect(PRESET_NAMES.filter((name) => PROVIDER_PRESETS[name].keyOptional)).toEqual(own);
    for (const name of PRESET_NAMES) {
      if (!own.includes(name)) expect(PROVIDER_PRESETS[name].baseUrl ?? 'https://').toMatch(/^https:/);
    }
  });

  it('give Azure its own header and no address of their own', () => {
    expect(PROVIDER_PRESETS.azure).toMatchObject({ baseUrl: null, authHeader: 'api-key' });
  });

  it.each(PRESET_NAMES)('ask %s for the usage of a stream where it takes the question', (name) => {
    const sent = JSON.parse(toProviderBody(STREAM, PROVIDER_PRESETS[name].quirks)) as Record<string, unknown>;
    expect(Object.hasOwn(sent, 'stream_options')).toBe(name !== 'mistral');
    expect(sent['stream']).toBe(true);
  });

  it.each<[PresetName, Record<string, unknown>, string | undefined]>([
    ['groq', { logprobs: true }, 'logprobs'],
    ['groq', { logit_bias: { 5: 1 } }, 'logit_bias'],
    ['groq', { top_logprobs: 3 }, 'top_logprobs'],
    ['groq', { n: 2 }, 'n'],
    ['groq', { n: 1, logprobs: false, logit_bias: null, top_logprobs: 0 }, undefined],
    ['anthropic', { logprobs: true }, 'logprobs'],
    ['anthropic', { n: 3 }, 'n'],
    ['anthropic', { logit_bias: {} }, undefined],
    ['openai', { n: 3, logprobs: true, logit_bias: {} }, undefined],
  ])('know what %s can’t do of %j', (name, body, param) => {
    expect(unsupportedParam(body, PROVIDER_PRESETS[name].quirks)).toBe(param);
  });
});
