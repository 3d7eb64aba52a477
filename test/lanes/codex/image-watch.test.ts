import { describe, expect, it } from 'vitest';
import { watchImages } from '../../../lanes/codex/image-watch.ts';
import { echoNotification } from '../../../lanes/codex/injected-echo.ts';
import { RpcError } from '../../../lanes/codex/rpc-client.ts';
import { developerMessage, type ResponseItem } from '../../../lanes/codex/translate-messages.ts';

const TEXT = developerMessage('be brief');
const IMAGE: ResponseItem = { type: 'message', role: 'user', content: [{ type: 'input_image', image_url: 'data:' }] };

const echo = (imageLeftOut = false): ReturnType<typeof echoNotification> =>
  echoNotification({ threadId: 't1', imageLeftOut });

/** What is known at this moment. */
async function known(promise: Promise<boolean>): Promise<boolean | 'nothing'> {
  return Promise.race([promise, new Promise<'nothing'>((resolve) => setTimeout(() => resolve('nothing'), 1))]);
}

describe('watchImages', () => {
  it('waits for nothing where there is no image', async () => {
    expect(await watchImages([TEXT, TEXT]).allRead()).toBe(true);
    expect(await watchImages([]).allRead()).toBe(true);
  });

  it('waits for the echo of the last item with an image, and not longer', async () => {
    const watch = watchImages([TEXT, IMAGE, TEXT, IMAGE, TEXT]);
    for (let count = 0; count < 3; count += 1) watch.take(echo());
    const allRead = watch.allRead();
    expect(await known(allRead)).toBe('nothing');
    watch.take(echo());
    expect(await allRead).toBe(true);
  });

  it('says at once that an image was left out, before or after the call was answered', async () => {
    const early = watchImages([IMAGE, IMAGE]);
    early.take(echo(true));
    expect(await early.allRead()).toBe(false);
    const late = watchImages([IMAGE, IMAGE]);
    const allRead = late.allRead();
    late.take(echo());
    late.take(echo(true));
    expect(await allRead).toBe(false);
  });

  it('takes no other notification', () => {
    const watch = watchImages([IMAGE]);
    expect(watch.take({ method: 'turn/started', params: {} })).toBe(false);
    expect(watch.take(echo())).toBe(true);
  });

  it('does not wait for ever', async () => {
    const late = watchImages([IMAGE]).allRead(5);
    await expect(late).rejects.toBeInstanceOf(RpcError);
    await expect(late).rejects.toMatchObject({ kind: 'timeout' });
  });
});
