import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkWantedPorts } from '../../stack/wanted-ports.ts';

const HOST = '127.0.0.1';

async function occupyPort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

describe('the ports that were asked for', () => {
  it('are free again after they were tried', async () => {
    const wishes = [
      { use: 'the API', host: HOST, port: await freePort() },
      { use: 'MongoDB', host: HOST, port: undefined },
      { use: 'Temporal', host: HOST, port: 0 },
    ];
    await checkWantedPorts(wishes);
    await checkWantedPorts(wishes);
  });

  it('are named with their use when one is taken', async () => {
    const port = await occupyPort();
    const check = checkWantedPorts([
      { use: 'the API', host: HOST, port: await freePort() },
      { use: 'MongoDB', host: HOST, port },
    ]);
    await expect(check).rejects.toThrow(`Port ${port} for MongoDB is in use`);
  });

  it('are refused when one is asked for twice', async () => {
    const port = await freePort();
    const check = checkWantedPorts([
      { use: 'the API', host: HOST, port },
      { use: 'the admin routes', host: HOST, port },
    ]);
    await expect(check).rejects.toThrow(`Port ${port} is asked for twice: for the API and for the admin routes.`);
  });

  it('are refused on an address of another machine', async () => {
    const check = checkWantedPorts([{ use: 'the API', host: '192.0.2.1', port: await freePort() }]);
    await expect(check).rejects.toThrow('192.0.2.1, the address for the API, is none of this machine');
  });
});
