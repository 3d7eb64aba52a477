import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { choosePorts, isListening } from '../../stack/ports.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

async function occupyPort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const wish = (wanted?: number) => [
  { label: "Temporal's port", key: 'port' as const, wanted },
  { label: "Temporal's UI port", key: 'uiPort' as const, wanted: undefined },
];

describe('the choice of ports', () => {
  it('gives the same free ports again on the same data folder', async () => {
    const file = join(await createTemporaryFolder(), 'ports.json');
    const first = await choosePorts(file, wish());
    expect(first.port).not.toBe(first.uiPort);
    expect(await choosePorts(file, wish())).toEqual(first);
  });

  it.each(['127.0.0.1', '0.0.0.0'])('names the port that was asked for and is in use on %s', async (host) => {
    const file = join(await createTemporaryFolder(), 'ports.json');
    const port = await occupyPort(host);
    await expect(choosePorts(file, wish(port))).rejects.toThrow(`Temporal's port ${port} is in use`);
  });

  it('replaces a remembered port that somebody else has taken', async () => {
    const file = join(await createTemporaryFolder(), 'ports.json');
    const first = await choosePorts(file, wish());
    const server = createServer().listen(first.port, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const second = await choosePorts(file, wish());
    expect(second.port).not.toBe(first.port);
    expect(second.uiPort).toBe(first.uiPort);
  });

  it('treats port 0 as no wish', async () => {
    const file = join(await createTemporaryFolder(), 'ports.json');
    expect((await choosePorts(file, wish(0))).port).toBeGreaterThan(0);
  });

  it('knows an open port from a closed one', async () => {
    const port = await occupyPort('127.0.0.1');
    expect(await isListening('127.0.0.1', port)).toBe(true);
    const { port: free } = await choosePorts(join(await createTemporaryFolder(), 'ports.json'), wish());
    expect(await isListening('127.0.0.1', free)).toBe(false);
  });
});
