import { ApiError } from '../errors.ts';

/** OpenAI's page of a list. */
export interface ListPage<T> {
  readonly object: 'list';
  readonly data: readonly T[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

export interface ListQuery {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  /** The id after which the page begins. */
  readonly after: string | null;
}

export function toListPage<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean): ListPage<T> {
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}

/** One value of a query string; a parameter given twice is refused, because which one counts would be a guess. */
export function queryText(query: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = query[name];
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw new ApiError('invalid_type', `Invalid type for '${name}': expected one value.`, { param: name });
}

/**
 * Reads `limit`, `order` and `after`.
 * @throws ApiError invalid_type, invalid_value with the parameter.
 */
export function readListQuery(
  query: Readonly<Record<string, unknown>>,
  bounds: { readonly defaultLimit: number; readonly maxLimit: number },
): ListQuery {
  const limitText = queryText(query, 'limit');
  const limit = limitText === null ? bounds.defaultLimit : Number(limitText);
  if (limitText !== null && !/^-?\d{1,9}$/.test(limitText)) {
    throw new ApiError('invalid_type', "Invalid type for 'limit': expected an integer.", { param: 'limit' });
  }
  if (limit < 1 || limit > bounds.maxLimit) {
    throw new ApiError('invalid_value', `Invalid 'limit': expected a value from 1 to ${bounds.maxLimit}.`, {
      param: 'limit',
    });
  }
  const order = queryText(query, 'order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') {
    throw new ApiError('invalid_value', "Invalid value for 'order': expected 'asc' or 'desc'.", { param: 'order' });
  }
  return { limit, order, after: queryText(query, 'after') };
}
