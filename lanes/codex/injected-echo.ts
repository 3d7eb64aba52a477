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

const METHOD = 'flatlane/itemEchoed';

/** What an echo says of its item. */
export interface Echo {
  readonly threadId: string;
  /** An image of the item was left out. */
  readonly imageLeftOut: boolean;
}

/** Reads a line as the echo of an injected item; undefined where it is none. */
export function readEcho(line: string): Echo | undefined {
  const head = ECHO_HEAD.exec(line.slice(0, 200));
  return head === null ? undefined : { threadId: head[1] ?? '', imageLeftOut: IMAGE_LEFT_OUT.test(line) };
}

/** What the listener of a thread hears in the place of such an echo. */
export function echoNotification(echo: Echo): RpcNotification {
  return { method: METHOD, params: { ...echo } };
}

/** What a notification says of an injected item; undefined where it is not of an echo. */
export function echoOf({ method, params }: RpcNotification): Pick<Echo, 'imageLeftOut'> | undefined {
  return method === METHOD ? { imageLeftOut: params['imageLeftOut'] === true } : undefined;
}
