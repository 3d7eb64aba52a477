import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { stackFile } from '../../../stack/package-files.ts';
import { createLoopbackCertificate } from '../../standins/loopback-certificate.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

/** A place that has an archive and its MD5 for every platform. */
async function serveDownload(archive: Buffer): Promise<string> {
  const md5 = createHash('md5').update(archive).digest('hex');
  const server = createServer((request, response) => {
    const body = request.url?.endsWith('.md5') === true ? Buffer.from(`${md5}  archive.tgz\n`) : archive;
    response.writeHead(200, { 'content-length': body.length });
    response.end(request.method === 'HEAD' ? undefined : body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function createArchive(): Promise<Buffer> {
  const folder = await createTemporaryFolder();
  await mkdir(join(folder, 'mongodb-8', 'bin'), { recursive: true });
  await writeFile(join(folder, 'mongodb-8', 'bin', 'mongod'), 'the program');
  await writeFile(join(folder, 'mongodb-8', 'README'), 'the readme');
  execFileSync('tar', ['-czf', 'archive.tgz', 'mongodb-8'], { cwd: folder });
  return readFile(join(folder, 'archive.tgz'));
}

/** The mirror is a setting of the downloader's own. */
function download(folder: string, mirror: string, environment: Readonly<Record<string, string>> = {}) {
  const useHttp = String(mirror.startsWith('http:'));
  return promisify(execFile)(process.execPath, [stackFile('mongodb', 'download-mongod.mjs'), folder, '8.2.6'], {
    env: { HOME: folder, MONGOMS_DOWNLOAD_MIRROR: mirror, MONGOMS_USE_HTTP: useHttp, ...environment },
  });
}

/** A place whose first connection is its own, and whose later ones somebody else has taken: with a certificate that nobody trusts. */
async function serveAndBeTaken(): Promise<{ mirror: string; ca: string }> {
  const [own, other] = await Promise.all([createLoopbackCertificate(), createLoopbackCertificate()]);
  let connections = 0;
  const server = createHttpsServer({
    ...own,
    SNICallback: (_name, answer) => answer(null, createSecureContext(connections++ === 0 ? own : other)),
  });
  server.on('request', (_request, response) => response.setHeader('connection', 'close').end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { mirror: `https://localhost:${(server.address() as AddressInfo).port}`, ca: own.ca };
}

describe('the download of mongod', () => {
  it('leaves the program in the folder under its plain name', async () => {
    const folder = await createTemporaryFolder();
    await download(folder, await serveDownload(await createArchive()));
    expect(await readFile(join(folder, 'mongod'), 'utf8')).toBe('the program');
    expect((await readdir(folder)).filter((name) => name.endsWith('.tgz'))).toEqual([]);
  });

  it('takes nothing from a place that is not the one it says', async () => {
    const folder = await createTemporaryFolder();
    const { mirror, ca } = await serveAndBeTaken();
    await writeFile(join(folder, 'ca.pem'), ca);
    const failed = download(folder, mirror, { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') });
    await expect(failed).rejects.toThrow(/certificate/);
    expect(await readdir(folder)).not.toContain('mongod');
  });

  it('goes through the proxy of the environment', async () => {
    const folder = await createTemporaryFolder();
    const proxied: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket) => {
      proxied.push(request.url ?? '');
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const failed = download(folder, 'https://mongodb.test', { HTTPS_PROXY: address });
    await expect(failed).rejects.toThrow('mongodb.test is out of reach');
    expect(proxied).toEqual(['mongodb.test:443']);
  });

  it('says which place is out of reach', async () => {
    const folder = await createTemporaryFolder();
    await expect(download(folder, 'http://127.0.0.1:1')).rejects.toThrow('127.0.0.1:1 is out of reach');
  });
});
