import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { BatchStatus } from '../core/contracts/batch.ts';
import { SEARCH_ATTRIBUTES } from '../core/contracts/search-attributes.ts';

const STATUS = defineSearchAttributeKey(SEARCH_ATTRIBUTES.status, 'KEYWORD');

/** Shows the state of a batch where batches are searched. One that was started without attributes goes on without. */
export function showStatus(status: BatchStatus): void {
  const shown = workflowInfo().typedSearchAttributes.get(STATUS);
  if (shown !== undefined && shown !== status) upsertSearchAttributes([{ key: STATUS, value: status }]);
}
