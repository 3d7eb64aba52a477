/**
 * The search attributes by which batches are found in Temporal, all of type Keyword: `FlatlaneKey = "key_…"`. Ids and states alone:
 * what stands here is read by everybody who may look at the namespace.
 */
export const SEARCH_ATTRIBUTES = { batch: 'FlatlaneBatch', key: 'FlatlaneKey', status: 'FlatlaneStatus' } as const;
