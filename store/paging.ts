import type { Filter } from 'mongodb';

/** Where a page begins: the place of its last predecessor in the order of time, then id. */
export interface PagePlace {
  readonly _id: string;
  readonly createdAt: number;
}

export interface PageRequest {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly after: PagePlace | null;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

/** The sort of a page. Ids break ties, so that no item is shown twice or left out between pages. */
export function pageSort(order: PageRequest['order']): { createdAt: 1 | -1; _id: 1 | -1 } {
  const direction = order === 'asc' ? 1 : -1;
  return { createdAt: direction, _id: direction };
}

/** The condition that keeps what comes after the place. */
export function pageFilter<T extends PagePlace>({ order, after }: PageRequest): Filter<T> {
  if (after === null) return {};
  const operator = order === 'asc' ? '$gt' : '$lt';
  return {
    $or: [
      { createdAt: { [operator]: after.createdAt } },
      { createdAt: after.createdAt, _id: { [operator]: after._id } },
    ],
  } as unknown as Filter<T>;
}

/** Cuts the one item that was read beyond the limit to see whether there is more. */
export function toPage<T>(read: readonly T[], limit: number): Page<T> {
  return { items: read.slice(0, limit), hasMore: read.length > limit };
}
