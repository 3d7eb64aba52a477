/**
 * Tiers that cost what is listed. What `auto` comes to is the owner's setting at the provider, and the answer says it; `batch` is the
 * provider's Batch API, whose share of the listed price the lane knows.
 */
const AT_LISTED_PRICE = new Set(['auto', 'default', 'standard', 'on_demand', 'batch']);

/** A name of a provider is shorter; it is kept in the lane log. */
const LONGEST_NAME = 40;

/**
 * The service tier of a request or of an answer where it has another price than the listed one: `priority` costs more, `flex` less,
 * and by how much is different for each model. Undefined for the usual ones.
 */
export function unlistedTier(tier: unknown): string | undefined {
  return typeof tier === 'string' && tier !== '' && !AT_LISTED_PRICE.has(tier)
    ? tier.slice(0, LONGEST_NAME)
    : undefined;
}

/** True for a tier of which only this is known: it costs no more than what is listed. */
export function costsNoMore(tier: string | undefined): boolean {
  return tier === 'flex';
}
