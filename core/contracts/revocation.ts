/**
 * What becomes of the batches of a key that is revoked and that are not over:
 * - cancel: they end early, as by a cancel; what is answered by then is kept
 * - finish: they run to their end
 */
export const REVOKED_BATCHES = ['cancel', 'finish'] as const;

export type RevokedBatches = (typeof REVOKED_BATCHES)[number];
