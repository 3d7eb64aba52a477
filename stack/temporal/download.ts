import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { z } from 'zod';
import { runCommand } from '../run-command.ts';

/** Where Temporal's own SDKs ask for the address of the CLI's archive. */
const DOWNLOAD_ADDRESS = 'https://temporal.download/cli';

/** The first answer: where there is no way out, the chain must go on soon. */
const ADDRESS_LIMIT_MS = 10_000;

/** The archive is 50 MB: this is a line of 2 Mbit/s. */
const ARCHIVE_LIMIT_MS = 240_000;

const UNPACK_LIMIT_MS = 60_000;

const downloadInfo = z.looseObject({ archiveUrl: z.url(), fileToExtract: z.string() });

/**
 * Fetches the official CLI into a folder, under the given name.
 * @param version as in "1.8.2".
 * @param address where to ask for the archive's own address.
 * @throws Error when the address is out of reach or has nothing for this platform.
 */
export async function downloadTemporal(
  folder: string,
  fileName: string,
  version: string,
  address = DOWNLOAD_ADDRESS,
): Promise<void> {
  const info = downloadInfo.parse(await (await get(downloadUrl(address, version), ADDRESS_LIMIT_MS)).json());
  const archive = join(folder, 'archive');
  const response = await get(info.archiveUrl, ARCHIVE_LIMIT_MS);
  if (response.body === null) throw new Error(`${info.archiveUrl} answered without a body`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(archive));
  await runCommand({
    file: 'tar',
    args: ['-xf', archive, '-C', folder, info.fileToExtract],
    limitMs: UNPACK_LIMIT_MS,
  });
  await rm(archive);
  if (info.fileToExtract !== fileName) await rename(join(folder, info.fileToExtract), join(folder, fileName));
}

function downloadUrl(address: string, version: string): string {
  const platforms: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };
  const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };
  const platform = platforms[process.platform];
  const arch = architectures[process.arch];
  if (platform === undefined || arch === undefined) {
    throw new Error(`there is none for ${process.platform} on ${process.arch}`);
  }
  return `${address}/v${version}?${new URLSearchParams({ platform, arch, format: 'tar.gz' }).toString()}`;
}

/**
 * Goes through the proxy of the environment, if it names one.
 * @param limitMs for the whole answer, its body included.
 */
async function get(url: string, limitMs: number): Promise<Response> {
  const { host } = new URL(url);
  const asked = { signal: AbortSignal.timeout(limitMs), dispatcher: new EnvHttpProxyAgent() };
  const response = await fetch(url, asked).catch((cause: Error) => {
    const reason = cause.cause instanceof Error ? cause.cause.message : cause.message;
    throw new Error(`${host} is out of reach: ${reason}`, { cause });
  });
  if (!response.ok) throw new Error(`${host} answered with status ${response.status}`);
  return response;
}
