/**
 * Fetches the official mongod: `node download-mongod.mjs <folder> <version>` leaves it there as `mongod`. A process of its
 * own, so that a download that hangs can be ended, and nothing of it writes to the starter's output.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoBinary } from 'mongodb-memory-server-core';
import { DryMongoBinary } from 'mongodb-memory-server-core/lib/util/DryMongoBinary.js';
import { MongoBinaryDownloadUrl } from 'mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js';
import { EnvHttpProxyAgent, fetch } from 'undici';

/** The downloader tries again for long; where there is no way out, the start must go on soon. */
const REACH_LIMIT_MS = 10_000;

/**
 * With any other value the downloader takes the archive from whoever answers, and the MD5 of it from the same place
 * (rejectUnauthorized in its MongoBinaryDownload.js, 11.3.0).
 */
// oxlint-disable-next-line node/no-process-env -- the downloader takes it from nowhere else
process.env.npm_config_strict_ssl = 'true';

async function main(folder, version) {
  const options = { ...(await DryMongoBinary.generateOptions({ version, downloadDir: folder })), checkMD5: true };
  const url = await new MongoBinaryDownloadUrl(options).getDownloadUrl();
  // The downloader goes through the proxy of the environment by itself; `fetch` does not.
  const asked = { method: 'HEAD', signal: AbortSignal.timeout(REACH_LIMIT_MS), dispatcher: new EnvHttpProxyAgent() };
  const reached = await fetch(url, asked).catch((cause) => {
    throw new Error(`${new URL(url).host} is out of reach: ${cause.cause?.message ?? cause.message}`, { cause });
  });
  if (!reached.ok) throw new Error(`${url} answered with status ${reached.status}`);
  const path = await MongoBinary.download(options);
  await rename(path, join(folder, process.platform === 'win32' ? 'mongod.exe' : 'mongod'));
}

try {
  await main(process.argv[2], process.argv[3]);
} catch (cause) {
  process.stderr.write(`${cause.message}\n`);
  process.exitCode = 1;
}
