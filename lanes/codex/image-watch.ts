import { echoOf } from './injected-echo.ts';
import { RpcError, type RpcNotification } from './rpc-client.ts';
import type { ResponseItem } from './translate-messages.ts';

/** Echoes follow on the answer to `thread/inject_items` within 2 ms, or come before it. */
const ECHO_LIMIT_MS = 20_000;

/** Tells before the model is asked whether the CLI can read the images of a request. */
export interface ImageWatch {
  /** Takes the echoes out of what a thread says; false where a notification is something else. */
  take(notification: RpcNotification): boolean;
  /**
   * Waits for the echo of the last item with an image; at once where there is none.
   * @returns false if an image was left out
   * @throws RpcError `timeout` if the echo does not come
   */
  allRead(limitMs?: number): Promise<boolean>;
}

/**
 * Follows the echoes of injected items. There is one for each, in their order (measured with 0.169.0), but some or all of them
 * may come after the answer to the call.
 */
export function watchImages(items: readonly ResponseItem[]): ImageWatch {
  let awaited = items.findLastIndex(hasImage) + 1;
  let settle: (allRead: boolean) => void = () => undefined;
  const settled = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  if (awaited === 0) settle(true);
  return {
    take(notification) {
      const echo = echoOf(notification);
      if (echo === undefined) return false;
      if (echo.imageLeftOut) settle(false);
      awaited -= 1;
      if (awaited === 0) settle(true);
      return true;
    },
    allRead(limitMs = ECHO_LIMIT_MS) {
      return new Promise((resolve, reject) => {
        const late = (): void => reject(new RpcError('timeout', 'The Codex process did not echo the images.'));
        const timer = setTimeout(late, limitMs).unref();
        void settled.then((allRead) => {
          clearTimeout(timer);
          resolve(allRead);
        });
      });
    },
  };
}

function hasImage(item: ResponseItem): boolean {
  return item.type === 'message' && item.content.some((part) => part.type === 'input_image');
}
