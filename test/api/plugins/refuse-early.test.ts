import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../../../api/create-app.ts';
import { createLogger } from '../../../core/log.ts';
import { createSecretBox, newMasterKey } from '../../../core/secret-box.ts';
import type { KeyStore } from '../../../store/keys.ts';

let app: ReturnType<typeof createApp>;
let release: () => void;
/** Resolves when the server has begun to close. */
let closing: Promise<void>;
beforeEach(async () => {
  const released = new Promise<void>((resolve) => (release = resolve));
  const keys = { findActive: async () => null } as unknown as KeyStore;
  const secretBox = createSecretBox(newMasterKey());
  app = createApp({ keys, secretBox, log: createLogger('silent', 'test'), defaultAccess: 'public' });
  app.get('/slow', async () => {
    await released;
    return 'done';
  });
  closing = new Promise((resolve) => app.addHook('preClose', async () => resolve()));
  app.post('/keyed', { config: { access: 'key' } }, async () => 'taken');
  app.post('/small', { bodyLimit: 1024 }, async () => 'taken');
  await app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  release();
  await app.close();
});

const open = async (): Promise<Socket> => {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
};
const readAll = async (socket: Socket): Promise<string> => {
  let text = '';
  socket.on('data', (piece: Buffer) => (text += piece.toString()));
  await once(socket, 'close');
  return text;
};
const expectShape = (text: string): void => {
  expect(text).toMatch(/\r\nx-request-id: req_[0-9a-f]{32}\r\n/);
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))).toEqual({
    error: {
      message: expect.stringMatching(/\S/) as string,
      type: expect.any(String) as string,
      param: null,
      code: null,
    },
  });
};

describe('what never becomes a request', () => {
  it.each([
    ['is no HTTP', 'hello\r\n\r\n', 400],
    ['has headers without end', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(64 * 1024)}\r\n\r\n`, 431],
  ])('is told in OpenAI’s shape when it %s', async (_, bytes, status) => {
    const socket = await open();
    socket.write(bytes);
    const text = await readAll(socket);
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expectShape(text);
  });
});

/** The last answer of a connection that the server closes, or that is closed behind it. */
const answerTo = async (text: string): Promise<string> => {
  const socket = await open();
  socket.end(text);
  return readAll(socket);
};

describe('a request that Node would answer by itself', () => {
  it.each([
    ['no Host', 'GET /slow HTTP/1.1\r\n\r\n', 400],
    ['an expectation that nobody knows', 'POST /small HTTP/1.1\r\nhost: a\r\nexpect: a-miracle\r\n\r\n', 417],
    ['a tunnel in mind', 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n', 400],
  ])('is told in OpenAI’s shape when it has %s', async (_, bytes, status) => {
    const text = await answerTo(bytes.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expectShape(text);
  });

  it('needs no Host in the version before there was one', async () => {
    release();
    expect(await answerTo('GET /slow HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('a client that asks whether to go on', () => {
  const head = 'POST /keyed HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n';
  const body = 'content-length: 2\r\nconnection: close\r\n\r\n';

  it('is told to only when it brings a key', async () => {
    const socket = await open();
    const whole = readAll(socket);
    socket.write(`${head}authorization: Bearer sk-fl-unknown\r\n${body}`);
    expect(await whole).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 401 /);
  });

  it.each(['', 'authorization: Basic abc\r\n'])('is refused at once without one: %j', async (header) => {
    const socket = await open();
    const whole = readAll(socket);
    socket.write(`${head}${header}${body.replace('connection: close\r\n', '')}`);
    const text = await whole;
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
  });

  it('is served when it goes on', async () => {
    const socket = await open();
    const whole = readAll(socket);
    socket.write(`${head.replace('/keyed', '/small')}authorization: Bearer x\r\n${body}`);
    await once(socket, 'data');
    socket.write('{}');
    expect(await whole).toMatch(/100 Continue[^]*HTTP\/1\.1 200 [^]*taken$/);
  });
});

describe('a server that closes', () => {
  it('finishes what is under way, and asks those who come meanwhile to come again', async () => {
    const socket = await open();
    const whole = readAll(socket);
    const ask = async (): Promise<void> => {
      const arrived = once(app.server, 'request');
      socket.write('GET /slow HTTP/1.1\r\nhost: a\r\n\r\n');
      await arrived;
    };
    await ask();
    const closed = app.close();
    await closing;
    // On the same connection, behind the one that is still served.
    await ask();
    release();
    const text = await whole;
    await closed;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    const refused = text.slice(text.indexOf('HTTP/1.1 503 '));
    expect(refused).toMatch(/\r\nretry-after: 1\r\n/);
    const body = JSON.parse(refused.slice(refused.indexOf('\r\n\r\n'))) as object;
    expect(body).toMatchObject({ error: { type: 'service_unavailable_error', code: 'server_is_overloaded' } });
  });
});

describe('a body above its limit', () => {
  it('is read to its end, so that its sender reads the answer', async () => {
    const { port } = app.server.address() as AddressInfo;
    const body = JSON.stringify('x'.repeat(8 * 1024 * 1024));
    for (let times = 0; times < 10; times++) {
      const response = await fetch(`http://127.0.0.1:${port}/small`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({ error: { code: 'request_too_large' } });
    }
  });
});
