import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, delimiter, dirname, join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { resolveChain } from '../../../stack/resolve-chain.ts';
import { startTemporal } from '../../../stack/start-stack.ts';
import { temporalWays } from '../../../stack/temporal/ways.ts';
import { createToolCache, toolCacheFolder } from '../../../stack/tool-cache.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

const BUILD_LIMIT_MS = 30 * 60_000;

/** The real CLI, by whichever way it is to be had on this machine. */
let program: string;

beforeAll(async () => {
  const cache = createToolCache(toolCacheFolder(), (line) => process.stderr.write(`${line}\n`));
  const { tool } = await resolveChain({ part: 'Temporal server', ways: temporalWays(null, cache), advice: '' });
  if (tool.kind !== 'binary') throw new Error('no program');
  program = tool.path;
}, BUILD_LIMIT_MS);

async function startHere(): Promise<{ how: string; uiUrl: string | null }> {
  const part = await startTemporal({
    dataDir: await createTemporaryFolder(),
    log: createLogger('silent', 'test'),
    onProgress: () => undefined,
  });
  onTestFinished(() => part.stop());
  return part;
}

/** The official place, with the real program in its archive: not compressed, which `tar` sees by itself. */
async function serveDownload(): Promise<string> {
  const archive = join(await createTemporaryFolder(), 'archive.tar');
  execFileSync('tar', ['-cf', archive, '-C', dirname(program), basename(program)]);
  const server = createServer((request, response) => {
    if (request.url === '/archive') createReadStream(archive).pipe(response);
    else {
      const archiveUrl = `http://${request.headers.host ?? ''}/archive`;
      response.end(JSON.stringify({ archiveUrl, fileToExtract: basename(program) }));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/cli`;
}

describe('the real Temporal CLI', () => {
  it('serves from PATH', async () => {
    vi.stubEnv('PATH', `${dirname(program)}${delimiter}${process.env['PATH'] ?? ''}`);
    const { how, uiUrl } = await startHere();
    expect(how).toBe('`temporal` on PATH');
    expect((await fetch(uiUrl ?? '')).status).toBe(200);
  });

  it('serves when it was downloaded, and is found in the cache by later starts', async () => {
    const cacheHome = await createTemporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', cacheHome);
    vi.stubEnv('PATH', '/usr/bin:/bin');
    const cache = createToolCache(toolCacheFolder(), () => undefined);
    const attempt = await temporalWays(null, cache, await serveDownload())[2]?.find();
    expect(attempt).toMatchObject({ tool: { kind: 'binary' } });
    expect((await startHere()).how).toBe('the official download of the Temporal CLI');
  });
});
