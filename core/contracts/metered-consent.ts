/**
 * Whether calls may cost money beyond the plan, as an owner says it of a key or of a route:
 * - never: key lanes are left out
 * - ask: key lanes are left out unless the request itself allows them
 * - auto: key lanes serve in their turn
 */
export type MeteredConsent = 'never' | 'ask' | 'auto';

export const METERED_CONSENTS: readonly MeteredConsent[] = ['never', 'ask', 'auto'];

/**
 * The stricter of what key and route say decides; who says nothing is for `auto`, which is how keys were before there was a
 * choice.
 * @param allowed true when the request itself allows metered spend
 */
export function mayBeMetered(
  key: MeteredConsent | undefined,
  route: MeteredConsent | undefined,
  allowed: boolean,
): boolean {
  const said = [key ?? 'auto', route ?? 'auto'];
  if (said.includes('never')) return false;
  return allowed || !said.includes('ask');
}

/** Of two words on metered spend the stricter one; who says nothing is for `auto`. */
export function stricterConsent(left: MeteredConsent | undefined, right: MeteredConsent | undefined): MeteredConsent {
  const said = [left ?? 'auto', right ?? 'auto'];
  return METERED_CONSENTS.find((consent) => said.includes(consent)) ?? 'auto';
}
