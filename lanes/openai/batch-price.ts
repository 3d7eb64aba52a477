import { presetOf } from './presets.ts';

/**
 * What a line costs at the Batch API of a lane's provider, as a share of the usual price; null where the provider has none that
 * is like OpenAI's, or the owner does not want it used. What the owner says counts more than the preset.
 */
export function batchPriceShare(
  settings: { readonly preset: string | null; readonly batchPriceShare?: number | null } | null,
): number | null {
  if (settings?.batchPriceShare !== undefined) return settings.batchPriceShare;
  return presetOf(settings)?.batchPriceShare ?? null;
}
