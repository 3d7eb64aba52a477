import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../core/contracts/search-attributes.ts';
import type { Logger } from '../../core/log.ts';

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's protocol. */
const KEYWORD = 2;

const [BATCH, KEY, STATUS] = [SEARCH_ATTRIBUTES.batch, SEARCH_ATTRIBUTES.key, SEARCH_ATTRIBUTES.status].map((name) =>
  defineSearchAttributeKey(name, 'KEYWORD'),
);

interface SearchAttributesDeps {
  readonly client: Pick<Client, 'connection' | 'options'>;
  readonly log: Pick<Logger, 'warn'>;
}

/** Makes sure that the namespace knows our search attributes. Safe to repeat. False where that is not allowed or not possible. */
export async function ensureSearchAttributes({ client, log }: SearchAttributesDeps): Promise<boolean> {
  const { namespace } = client.options;
  const { operatorService } = client.connection as { operatorService?: typeof client.connection.operatorService };
  try {
    if (operatorService === undefined) throw new Error('this connection has no operator service');
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = Object.values(SEARCH_ATTRIBUTES).filter((name) => customAttributes?.[name] === undefined);
    const wrong = Object.values(SEARCH_ATTRIBUTES).filter(
      (name) => ![undefined, KEYWORD].includes(customAttributes?.[name]),
    );
    if (wrong.length > 0) throw new Error(`${wrong.join(', ')} are there with another type`);
    if (missing.length > 0) {
      const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
      await operatorService.addSearchAttributes({ namespace, searchAttributes });
    }
    return true;
  } catch (error) {
    log.warn(
      { err: error },
      'Temporal does not take our search attributes: batches are not found by key or status there',
    );
    return false;
  }
}

/** What a batch is found by in Temporal from its start on. */
export function batchSearchAttributes(batch: {
  readonly _id: string;
  readonly ownerId: string;
}): TypedSearchAttributes {
  if (BATCH === undefined || KEY === undefined || STATUS === undefined) throw new Error('three names make three keys');
  return new TypedSearchAttributes([
    { key: BATCH, value: batch._id },
    { key: KEY, value: batch.ownerId },
    { key: STATUS, value: 'validating' },
  ]);
}

/** `INVALID_ARGUMENT` of gRPC. */
const INVALID_ARGUMENT = 3;

/** True for the refusal of a start because a server that was told of the attributes does not know them (yet). */
export function isAboutSearchAttributes(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const cause = (error.cause ?? error) as { readonly code?: unknown; readonly message?: unknown };
  return cause.code === INVALID_ARGUMENT && /search attribute/i.test(String(cause.message));
}
