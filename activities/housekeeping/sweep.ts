/** What a step of the housekeeping is given. */
export interface Sweep {
  /** Says that the work goes on. Throws when it is to end: cancelled, or the worker stops. */
  readonly checkIn: () => void;
}

/**
 * Goes through a long list page by page, one page a round: the next round goes on where this one stopped, and begins anew at the
 * end. The place is kept in this process only; after a restart, or on another worker, it begins at the start again, which costs
 * time and nothing else.
 */
export function createPages<Item, Place>(
  read: (after: Place | null, limit: number) => Promise<readonly Item[]>,
  placeOf: (item: Item) => Place,
  limit: number,
): () => Promise<readonly Item[]> {
  let place: Place | null = null;
  return async () => {
    const page = await read(place, limit);
    const last = page.at(-1);
    place = page.length < limit || last === undefined ? null : placeOf(last);
    return page;
  };
}
