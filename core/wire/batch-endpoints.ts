import type { Operation } from '../lane-port.ts';

/** What a batch can be made of lines for, and what a lane is asked to do for such a line. */
const OPERATION_OF: Readonly<Record<string, Operation>> = {
  '/v1/chat/completions': 'chat',
  '/v1/responses': 'responses',
  '/v1/embeddings': 'embeddings',
};

export const BATCH_ENDPOINTS: readonly string[] = Object.keys(OPERATION_OF);

/** The operation of a batch's endpoint. @throws Error for an endpoint that no batch can have */
export function operationOfEndpoint(endpoint: string): Operation {
  const operation = OPERATION_OF[endpoint];
  if (operation === undefined) throw new Error(`No batch can have the endpoint ${endpoint}.`);
  return operation;
}
