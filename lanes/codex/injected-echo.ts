import type { RpcNotification } from './rpc-client.ts';

/**
 * The head of the event by which the CLI echoes each injected item. It can be as large as the request itself (images), nobody
 * reads it, and it is known by its placeholder of a turn id, so it is dropped unparsed.
 */
const ECHO_HEAD =
  /^\{"method":"rawResponseItem\/completed","params":\{"threadId":"([^"]{1,64})","turnId":"auto-compact-/;

/**
 * What the CLI notes of an item's parts; measured, the one sign that a sentence has taken the place of an image. The key is
 * looked for too: quotes in a caller's text are escaped, so none can have it inside, but a whole text may be such a value.
 */
const IMAGE_LEFT_OUT = /"content_item_kinds":\[[^\]]*"images\.(?:preparation_error|unavailable|unsupported)"/;

const METHOD = 'flatlane/imageLeftOut';

/**
 * Reads a line as the echo of an injected item; undefined where it is none.
 * @returns the thread that it belongs to, and whether an image of the item was left out
 */
export function readEcho(line: string): { readonly threadId: string; readonly imageLeftOut: boolean } | undefined {
  const head = ECHO_HEAD.exec(line.slice(0, 200));
  return head === null ? undefined : { threadId: head[1] ?? '', imageLeftOut: IMAGE_LEFT_OUT.test(line) };
}

/** What the listener of a thread hears in the place of such an echo. It comes before the answer to `thread/inject_items`. */
export function imageLeftOut(threadId: string): RpcNotification {
  return { method: METHOD, params: { threadId } };
}

export function saysImageLeftOut({ method }: RpcNotification): boolean {
  return method === METHOD;
}
