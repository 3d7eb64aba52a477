import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWebhookPoster, type PostedWebhook, type WebhookPoster } from '../../../lanes/webhooks/post-webhook.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../../standins/webhook-receiver.ts';

let receiver: WebhookReceiver;
let poster: WebhookPoster;
beforeEach(async () => {
  receiver = await startWebhookReceiver();
  poster = createWebhookPoster();
});
afterEach(async () => {
  await poster.close();
  await receiver.close();
});

const post = (url: string, allowPrivateAddresses = true): Promise<PostedWebhook> =>
  poster.post({ url, allowPrivateAddresses, headers: { 'webhook-id': 'evt_1' }, body: '{"a":1}' });

describe('posting a webhook', () => {
  it('sends headers and body to path and query', async () => {
    expect(await post(receiver.url)).toEqual({ answered: true, status: 204 });
    expect(receiver.received).toMatchObject([
      {
        path: '/hook?token=in-the-query',
        body: '{"a":1}',
        headers: { 'content-type': 'application/json', 'user-agent': 'flatlane', 'webhook-id': 'evt_1' },
      },
    ]);
  });

  it('does not follow a redirect', async () => {
    receiver.answer((response) => response.writeHead(307, { location: receiver.url }).end());
    expect(await post(receiver.url)).toEqual({ answered: true, status: 307 });
    expect(receiver.received).toHaveLength(1);
  });

  it('takes the status, and throws a body away that does not end', async () => {
    receiver.answer((response) => {
      response.writeHead(200);
      const pour = setInterval(() => response.write('x'.repeat(64 * 1024)), 1);
      response.on('close', () => clearInterval(pour));
    });
    expect(await post(receiver.url)).toEqual({ answered: true, status: 200 });
  });

  it('says in its own words that nobody is there', async () => {
    await receiver.shut();
    expect(await post(receiver.url)).toEqual({ answered: false, why: 'the receiver refuses the connection' });
  });

  it('says that the receiver hung up', async () => {
    receiver.answer((response) => response.socket?.destroy());
    const posted = await post(receiver.url);
    expect(posted).toMatchObject({ answered: false });
    expect(JSON.stringify(posted)).not.toContain('token');
  });

  it('throws when the worker stops, for somebody else to go on', async () => {
    receiver.answer(() => undefined);
    const worker = new AbortController();
    const posted = poster.post({
      url: receiver.url,
      allowPrivateAddresses: true,
      headers: {},
      body: '',
      signal: worker.signal,
    });
    while (receiver.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    worker.abort(new Error('stopping'));
    await expect(posted).rejects.toThrow();
  });
});

describe('the address of a webhook', () => {
  let server: Server;
  let connections = 0;
  beforeEach(async () => {
    connections = 0;
    server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => void server.close());

  it.each(['localhost', '127.0.0.1'])(
    'is checked while connecting: nothing reaches %s when it leads there after it was saved',
    async (host) => {
      const url = `https://${host}:${(server.address() as AddressInfo).port}/`;
      const posted = await post(url, false);
      expect(posted).toMatchObject({ answered: false, why: expect.stringMatching(/address/) as string });
      expect(connections).toBe(0);
      await post(url, true);
      expect(connections).toBeGreaterThan(0);
    },
  );

  it('is named as the reason when a name leads into a private network', async () => {
    expect(await post('https://localhost:9/', false)).toEqual({
      answered: false,
      why: 'the receiver’s address leads into a private network',
    });
  });
});
