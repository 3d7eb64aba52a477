/**
 * Fetches the official mongod: `node download-mongod.mjs <folder> <version>` leaves it there as `mongod`. A process of its
 * own, so that a download that hangs can be ended, and nothing of it writes to the starter's output.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { MongoBinary } from 'mongodb-memory-server-core';
import { DryMongoBinary } from 'mongodb-memory-server-core/lib/util/DryMongoBinary.js';
import { MongoBinaryDownloadUrl } from 'mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js';

/** The downloader tries again for long; where there is no way out, the start must go on soon. */
const REACH_LIMIT_MS = 10_000;

async function main(folder, version) {
  const options = { ...(await DryMongoBinary.generateOptions({ version, downloadDir: folder })), checkMD5: true };
  const url = await new MongoBinaryDownloadUrl(options).getDownloadUrl();
  const reached = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(REACH_LIMIT_MS) }).catch((cause) => {
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
