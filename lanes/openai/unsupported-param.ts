import type { LaneCall } from '../../core/lane-port.ts';
import type { ProviderQuirks } from './presets.ts';

/** The parameter of a request that this provider can't do, or undefined. Values that mean "not wanted" ask for nothing. */
export function unsupportedParam(body: LaneCall['body'], quirks: ProviderQuirks): string | undefined {
  const isAsked = (name: string): boolean => ![undefined, null, false, 0].includes(body[name] as never);
  const found = quirks.unsupportedParams?.find(isAsked);
  if (found !== undefined) return found;
  const choices = body['n'];
  return quirks.oneChoiceOnly === true && typeof choices === 'number' && choices > 1 ? 'n' : undefined;
}
