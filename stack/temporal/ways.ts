import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackFile } from '../package-files.ts';
import type { Way } from '../resolve-chain.ts';
import { findOnPath, isAtLeast, readVersion, runCommand } from '../run-command.ts';
import type { ToolCache } from '../tool-cache.ts';
import { downloadTemporal } from './download.ts';
import { checkTemporal, type TemporalTarget } from './health.ts';

/** Server 1.29: the first that knows priorities and fairness on a task queue. */
const LEAST_CLI = [1, 5, 0];
const LEAST_SERVER = [1, 29, 0];
const VERSION_PATTERN = /temporal version v?(\d+\.\d+\.\d+)/;
const SERVER_PATTERN = /\(Server v?(\d+\.\d+\.\d+)/;
/** What a CLI says that was built from source without a release's flags: `0.0.0-DEV`. */
const FROM_SOURCE = '0.0.0';

/** Six minutes on two cores with an empty build cache; slower machines and lines get five times that. */
const BUILD_LIMIT_MS = 30 * 60_000;

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
const FILE_NAME = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

export type TemporalTool = { readonly kind: 'yours' } | { readonly kind: 'binary'; readonly path: string };

export const TEMPORAL_ADVICE =
  'Install the Temporal CLI so that `temporal` is on PATH, or Go 1.26 or newer so that it can be built, or set TEMPORAL_ADDRESS to a server of yours.';

/**
 * The ways to a Temporal server, cheapest first.
 * @param downloadAddress where to ask for the CLI's archive, by default the official place
 */
export function temporalWays(
  target: TemporalTarget | null,
  cache: ToolCache,
  downloadAddress?: string,
): readonly Way<TemporalTool>[] {
  const pin = readPin();
  const platform = `${process.platform}-${process.arch}`;
  const downloadKey = `temporal-${pin.version}-official-${platform}`;
  const buildKey = `temporal-${pin.version}-go-${pin.hash}-${platform}`;
  const binaryIn = (folder: string): TemporalTool => ({ kind: 'binary', path: join(folder, FILE_NAME) });
  const findCached = async (key: string): Promise<TemporalTool | null> => {
    const folder = await cache.find(key);
    return folder === null ? null : binaryIn(folder);
  };

  return [
    {
      name: 'your own server (TEMPORAL_ADDRESS)',
      decisive: true,
      find: async () => {
        if (target === null) return { reason: 'TEMPORAL_ADDRESS is not set' };
        await checkTemporal(target).catch((cause: Error) => {
          throw new Error(`${target.address} was given but does not serve: ${cause.message}`, { cause });
        });
        return { tool: { kind: 'yours' } };
      },
    },
    {
      name: '`temporal` on PATH',
      find: async () => {
        const path = await findOnPath('temporal');
        if (path === null) return { reason: 'there is none' };
        const version = await readVersion(path, ['--version'], VERSION_PATTERN);
        const isFromSource = version.join('.') === FROM_SOURCE;
        const judged = isFromSource ? await readVersion(path, ['--version'], SERVER_PATTERN) : version;
        const least = isFromSource ? LEAST_SERVER : LEAST_CLI;
        if (isAtLeast(judged, least)) return { tool: { kind: 'binary', path } };
        const what = isFromSource ? `a build from source with server ${judged.join('.')}` : judged.join('.');
        return { reason: `${path} is ${what}; ${least.join('.')} or newer is needed` };
      },
    },
    {
      name: 'the official download of the Temporal CLI',
      findCached: () => findCached(downloadKey),
      find: async () => {
        const folder = await cache.ensure({
          key: downloadKey,
          title: `Downloading the Temporal CLI ${pin.version}`,
          hint: 'about 50 MB; to skip it, install the CLI or set TEMPORAL_ADDRESS',
          build: async (temporary) => {
            await downloadTemporal(temporary, FILE_NAME, pin.version, downloadAddress);
            await readVersion(join(temporary, FILE_NAME), ['--version'], VERSION_PATTERN);
          },
        });
        return { tool: binaryIn(folder) };
      },
    },
    {
      name: 'a build with Go from the pinned modules',
      findCached: () => findCached(buildKey),
      find: async () => {
        const go = await findOnPath('go');
        if (go === null) return { reason: '`go` is not on PATH' };
        const folder = await cache.ensure({
          key: buildKey,
          title: `Building the Temporal CLI ${pin.version} with Go`,
          hint: '3 to 10 minutes, once; to skip it, install the CLI or set TEMPORAL_ADDRESS',
          build: (temporary, report) => buildTemporal(go, join(temporary, FILE_NAME), report),
        });
        return { tool: binaryIn(folder) };
      },
    },
  ];
}

/** The modules are checked against go.sum, and neither file is changed. */
async function buildTemporal(go: string, output: string, report: (detail: string) => void): Promise<void> {
  let packages = 0;
  // `-v` names each package as it is compiled.
  const flags = ['-v', '-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w'];
  await runCommand({
    file: go,
    args: ['build', ...flags, '-o', output, PACKAGE],
    cwd: stackFile('temporal'),
    limitMs: BUILD_LIMIT_MS,
    onLine: () => report(`${(packages += 1)} packages`),
  });
  await readVersion(output, ['--version'], VERSION_PATTERN);
}

function readPin(): { readonly version: string; readonly hash: string } {
  const text = readFileSync(stackFile('temporal', 'go.mod'), 'utf8');
  const version = /github\.com\/temporalio\/cli v(\d+\.\d+\.\d+)/.exec(text)?.[1];
  if (version === undefined) throw new Error('stack/temporal/go.mod does not pin github.com/temporalio/cli');
  return { version, hash: createHash('sha256').update(text).digest('hex').slice(0, 8) };
}
