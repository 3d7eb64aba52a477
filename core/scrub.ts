/** A shape is not to be taken for one within a longer word (`look-at-…`). */
const ALONE = String.raw`(?<![A-Za-z0-9_-])`;

/** A word of prose has no digit in it; random characters of this length nearly always have. */
const RANDOM = String.raw`(?=[A-Za-z0-9_.-]*\d)[A-Za-z0-9_.-]{20,}`;

/**
 * Shapes of secrets that must never reach a log: API keys and our sub-keys (`sk-fl-…`), bearer headers, JSON Web Tokens (cut
 * ones too), personal access tokens and refresh tokens of a ChatGPT sign-in, and whatever stands under a token's name.
 */
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\bsk-[A-Za-z0-9_-]{8,}/g, 'sk-[removed]'],
  [/\bwhsec_[A-Za-z0-9+/=]{8,}/g, 'whsec_[removed]'],
  [/\b[Bb]earer\s+[A-Za-z0-9._~+/=-]{8,}/g, 'Bearer [removed]'],
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}[A-Za-z0-9_.-]*/g, '[token removed]'],
  [/\beyJ[A-Za-z0-9_-]{24,}\.?/g, '[token removed]'],
  [new RegExp(`${ALONE}at-${RANDOM}`, 'g'), 'at-[removed]'],
  [new RegExp(`${ALONE}rt[._]${RANDOM}`, 'g'), 'rt-[removed]'],
  // As JSON, as JSON within JSON, and as a form.
  [/((?:access|refresh|id)_token\\*"\s*:\s*\\*")[^"\\]+/g, '$1[removed]'],
  [/((?:access|refresh|id)_token=)[^&\s"]+/g, '$1[removed]'],
];

/** Removes what looks like a secret from a text that is about to be logged or stored as a reason. */
export function scrub(text: string): string {
  return SECRET_SHAPES.reduce((scrubbed, [shape, replacement]) => scrubbed.replace(shape, replacement), text);
}
