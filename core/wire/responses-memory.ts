/** What a request asks for that needs responses to be kept. */
export interface MemoryDemand {
  /** The parameter at fault. */
  readonly param: string;
  readonly message: string;
}

/**
 * Responses are not kept here, so there is nothing that an id could mean; `store` alone asks for nothing that the answer
 * depends on. Undefined when the request can be served without memory.
 */
export function memoryDemand(body: Readonly<Record<string, unknown>>): MemoryDemand | undefined {
  for (const param of ['previous_response_id', 'conversation']) {
    if ((body[param] ?? null) === null) continue;
    const message = `'${param}' is not supported: responses are not kept here. Send the history as items of 'input'.`;
    return { param, message };
  }
  if (body['background'] === true) {
    const message = "'background' is not supported: use a batch, or wait for the answer.";
    return { param: 'background', message };
  }
  const input = body['input'];
  const at = Array.isArray(input) ? input.findIndex(isReference) : -1;
  if (at === -1) return undefined;
  return {
    param: `input[${at}]`,
    message: 'Items are not kept here, so none can be referred to. Send the item itself.',
  };
}

function isReference(item: unknown): boolean {
  return typeof item === 'object' && item !== null && (item as { type?: unknown }).type === 'item_reference';
}
