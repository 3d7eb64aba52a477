import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { temporalWays } from '../../../stack/temporal/ways.ts';
import type { ToolCache } from '../../../stack/tool-cache.ts';
import { createTemporaryFolder } from '../temporary-folder.ts';

const emptyCache: ToolCache = {
  find: () => Promise.resolve(null),
  ensure: ({ title }) => Promise.reject(new Error(`no network for: ${title}`)),
};

async function installTemporal(output: string): Promise<string> {
  const folder = await createTemporaryFolder();
  const path = join(folder, 'temporal');
  await writeFile(path, `#!${process.execPath}\nconsole.log(${JSON.stringify(output)});\n`);
  await chmod(path, 0o755);
  vi.stubEnv('PATH', folder);
  return path;
}

async function reasonsOf(): Promise<string[]> {
  const attempts = temporalWays(null, emptyCache).map(async (way) => {
    const attempt = await way.find().catch((cause: Error) => ({ reason: cause.message }));
    return 'reason' in attempt ? attempt.reason : `works: ${way.name}`;
  });
  return Promise.all(attempts);
}

describe('the ways to a Temporal server', () => {
  it('says of each why it does not work', async () => {
    vi.stubEnv('PATH', '/nowhere');
    expect(await reasonsOf()).toEqual([
      'TEMPORAL_ADDRESS is not set',
      'there is none',
      'no network for: Downloading the Temporal CLI 1.8.2',
      '`go` is not on PATH',
    ]);
  });

  it('takes a CLI on PATH that is new enough', async () => {
    const path = await installTemporal('temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)');
    expect(await temporalWays(null, emptyCache)[1]?.find()).toEqual({ tool: { kind: 'binary', path } });
  });

  it('passes over a CLI whose server lacks priorities', async () => {
    const path = await installTemporal('temporal version 1.1.0 (Server 1.25.0, UI 2.30.3)');
    expect((await reasonsOf())[1]).toBe(`${path} is 1.1.0; 1.5.0 or newer is needed`);
  });

  it('judges a CLI that was built from source by its server', async () => {
    const path = await installTemporal('temporal version 0.0.0-DEV (Server 1.31.2, UI 2.50.1)');
    expect(await temporalWays(null, emptyCache)[1]?.find()).toEqual({ tool: { kind: 'binary', path } });
    const old = await installTemporal('temporal version 0.0.0-DEV (Server 1.28.0, UI 2.30.3)');
    expect((await reasonsOf())[1]).toBe(`${old} is a build from source with server 1.28.0; 1.29.0 or newer is needed`);
  });

  it('passes over a program of that name that is something else', async () => {
    const path = await installTemporal('hello');
    expect((await reasonsOf())[1]).toBe(`${path} does not say its version`);
  });
});
