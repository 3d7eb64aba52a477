/** What is known of a provider beyond its address: where it is stricter than OpenAI's own API. */
export interface ProviderQuirks {
  /** True: `stream_options` is refused. Usage then comes with a stream's last chunk, or is unknown. */
  readonly refusesStreamOptions?: boolean;
  /**
   * Parameters that the provider refuses or leaves without effect although they change the answer's shape: a request with one
   * goes to the next lane without an attempt.
   */
  readonly unsupportedParams?: readonly string[];
  /** True: one choice an answer; a request with `n` above 1 goes to the next lane. */
  readonly oneChoiceOnly?: boolean;
}

/** A provider as data: what its owner need not look up. */
export interface ProviderPreset {
  /** null: it is different for each customer and must be given. */
  readonly baseUrl: string | null;
  /** How such an address looks, where it must be given. */
  readonly baseUrlExample?: string;
  /** The header that carries the key; `authorization` has it as a bearer token, any other bare. */
  readonly authHeader: string;
  /** True: it runs on the owner's own machines. */
  readonly allowPrivateAddresses: boolean;
  /** True: it serves without a key, and one that is sent is ignored. */
  readonly keyOptional: boolean;
  readonly quirks: ProviderQuirks;
  /** What a line costs at its own Batch API, as a share of the usual price; absent where it has none that is like OpenAI's. */
  readonly batchPriceShare?: number;
  /** Where these facts were read. */
  readonly sources: readonly string[];
}

export const PRESET_NAMES = [
  'openai',
  'openrouter',
  'anthropic',
  'gemini',
  'groq',
  'deepseek',
  'mistral',
  'xai',
  'together',
  'fireworks',
  'azure',
  'ollama',
  'vllm',
] as const;

export type PresetName = (typeof PRESET_NAMES)[number];

const BEARER = { authHeader: 'authorization', allowPrivateAddresses: false, keyOptional: false, quirks: {} } as const;

/** Read in November 2026. What could not be verified is left out: a provider without a quirk here is treated like OpenAI. */
export const PROVIDER_PRESETS: Readonly<Record<PresetName, ProviderPreset>> = {
  openai: {
    ...BEARER,
    baseUrl: 'https://api.openai.com/v1',
    batchPriceShare: 0.5,
    sources: ['https://developers.openai.com/api/docs', 'https://developers.openai.com/api/docs/guides/batch'],
  },
  openrouter: {
    ...BEARER,
    baseUrl: 'https://openrouter.ai/api/v1',
    sources: ['https://openrouter.ai/models/openai/shap-e/api'],
  },
  // Its compatibility layer takes `n: 1` only and ignores logprobs, which are a part of the answer.
  anthropic: {
    ...BEARER,
    baseUrl: 'https://api.anthropic.com/v1',
    quirks: { oneChoiceOnly: true, unsupportedParams: ['logprobs', 'top_logprobs'] },
    sources: ['https://platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk'],
  },
  gemini: {
    ...BEARER,
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta/openai',
    sources: ['https://ai.google.dev/gemini-api/docs/openai'],
  },
  // It answers these with a 400.
  groq: {
    ...BEARER,
    baseUrl: 'https://api.groq.com/openai/v1',
    quirks: { oneChoiceOnly: true, unsupportedParams: ['logprobs', 'top_logprobs', 'logit_bias'] },
    sources: ['https://console.groq.com/docs/openai'],
  },
  deepseek: { ...BEARER, baseUrl: 'https://api.deepseek.com', sources: ['https://api-docs.deepseek.com/'] },
  // `stream_options.include_usage` was answered with a 422 `extra_forbidden`.
  mistral: {
    ...BEARER,
    baseUrl: 'https://api.mistral.ai/v1',
    quirks: { refusesStreamOptions: true },
    sources: ['https://github.com/openai/openai-agents-python/issues/442'],
  },
  xai: {
    ...BEARER,
    baseUrl: 'https://api.x.ai/v1',
    sources: ['https://docs.x.ai/developers/rest-api-reference/inference', 'https://docs.x.ai/api'],
  },
  together: {
    ...BEARER,
    baseUrl: 'https://api.together.ai/v1',
    sources: ['https://docs.together.ai/docs/inference/openai-compatibility'],
  },
  fireworks: {
    ...BEARER,
    baseUrl: 'https://api.fireworks.ai/inference/v1',
    sources: ['https://docs.fireworks.ai/tools-sdks/openai-compatibility'],
  },
  // The v1 API needs no `api-version`; the address of an older one has it as its query, which is kept.
  azure: {
    ...BEARER,
    baseUrl: null,
    baseUrlExample: 'https://your-resource.openai.azure.com/openai/v1',
    authHeader: 'api-key',
    sources: [
      'https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle',
      'https://learn.microsoft.com/en-us/azure/ai-services/openai/reference',
    ],
  },
  ollama: {
    ...BEARER,
    baseUrl: 'http://localhost:11434/v1',
    allowPrivateAddresses: true,
    keyOptional: true,
    sources: ['https://docs.ollama.com/api/openai-compatibility'],
  },
  vllm: {
    ...BEARER,
    baseUrl: 'http://localhost:8000/v1',
    allowPrivateAddresses: true,
    keyOptional: true,
    sources: ['https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html'],
  },
};

/** The preset with which a lane was made; undefined for an address without one. */
export function presetOf(settings: { readonly preset: string | null } | null): ProviderPreset | undefined {
  const name = PRESET_NAMES.find((known) => known === settings?.preset);
  return name === undefined ? undefined : PROVIDER_PRESETS[name];
}
