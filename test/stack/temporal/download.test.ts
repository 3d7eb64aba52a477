import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { downloadTemporal } from '../../../stack/temporal/download.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

/** Serves the archive's address and the archive as the official place does, with what was asked for. */
async function serveDownload(archive: Buffer): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url === '/archive.tar.gz') response.end(archive);
    else if (request.url?.startsWith('/cli/v1.8.2?') === true) {
      const archiveUrl = `http://${request.headers.host ?? ''}/archive.tar.gz`;
      response.end(JSON.stringify({ archiveUrl, fileToExtract: 'temporal' }));
    } else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/cli`, asked };
}

async function createArchive(): Promise<Buffer> {
  const folder = await createTemporaryFolder();
  await writeFile(join(folder, 'temporal'), 'the program');
  await writeFile(join(folder, 'LICENSE'), 'the licence');
  execFileSync('tar', ['-czf', 'archive.tar.gz', 'temporal', 'LICENSE'], { cwd: folder });
  return readFile(join(folder, 'archive.tar.gz'));
}

describe('the download of the Temporal CLI', () => {
  it('leaves the program in the folder and nothing else', async () => {
    const folder = join(await createTemporaryFolder(), 'tool');
    await mkdir(folder);
    const { address, asked } = await serveDownload(await createArchive());
    await downloadTemporal(folder, 'temporal-cli', '1.8.2', address);
    expect(await readdir(folder)).toEqual(['temporal-cli']);
    expect(await readFile(join(folder, 'temporal-cli'), 'utf8')).toBe('the program');
    expect(asked[0]).toMatch(/^\/cli\/v1\.8\.2\?platform=\w+&arch=\w+&format=tar\.gz$/);
  });

  it('says what the place answers when it has no such version', async () => {
    const { address } = await serveDownload(Buffer.alloc(0));
    const download = downloadTemporal(await createTemporaryFolder(), 'temporal', '9.9.9', address);
    await expect(download).rejects.toThrow(/^127\.0\.0\.1:\d+ answered with status 404$/);
  });

  it('says that the archive is broken when it is cut short', async () => {
    const archive = await createArchive();
    const { address } = await serveDownload(archive.subarray(0, archive.length / 2));
    const download = downloadTemporal(await createTemporaryFolder(), 'temporal', '1.8.2', address);
    await expect(download).rejects.toThrow(/^`tar -xf` ended with code/);
  });

  it('says which place is out of reach', async () => {
    const download = downloadTemporal(await createTemporaryFolder(), 'temporal', '1.8.2', 'http://127.0.0.1:1/cli');
    await expect(download).rejects.toThrow(/^127\.0\.0\.1:1 is out of reach: /);
  });
});
