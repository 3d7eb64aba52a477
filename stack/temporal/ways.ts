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
const VERSION_PATTERN = /temporal version v?(\d+\.\d+\.\d+)/;

/** Six minutes on two cores with an empty build cache; slower machines and lines get five times that. */
const BUILD_LIMIT_MS = 30 * 60_000;

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
const FILE_NAME = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

export type TemporalTool = { readonly kind: 'yours' } | { readonly kind: 'binary'; readonly path: string };

export const TEMPORAL_ADVICE =
  'Install the Temporal CLI so that `temporal` is on PATH, or Go 1.26 or newer so that it can be built, or set TEMPORAL_ADDRESS to a server of yours.';

/** The ways to a Temporal server, cheapest first. */
export function temporalWays(target: TemporalTarget | null, cache: ToolCache): readonly Way<TemporalTool>[] {
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
        if (isAtLeast(version, LEAST_CLI)) return { tool: { kind: 'binary', path } };
        return { reason: `${path} is ${version.join('.')}; ${LEAST_CLI.join('.')} or newer is needed` };
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
            await downloadTemporal(temporary, FILE_NAME, pin.version);
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
          build: (temporary) => buildTemporal(go, join(temporary, FILE_NAME)),
        });
        return { tool: binaryIn(folder) };
      },
    },
  ];
}

/** The modules are checked against go.sum, and neither file is changed. */
async function buildTemporal(go: string, output: string): Promise<void> {
  const flags = ['-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', '-s -w'];
  await runCommand({
    file: go,
    args: ['build', ...flags, '-o', output, PACKAGE],
    cwd: stackFile('temporal'),
    limitMs: BUILD_LIMIT_MS,
  });
  await readVersion(output, ['--version'], VERSION_PATTERN);
}

function readPin(): { readonly version: string; readonly hash: string } {
  const text = readFileSync(stackFile('temporal', 'go.mod'), 'utf8');
  const version = /github\.com\/temporalio\/cli v(\d+\.\d+\.\d+)/.exec(text)?.[1];
  if (version === undefined) throw new Error('stack/temporal/go.mod does not pin github.com/temporalio/cli');
  return { version, hash: createHash('sha256').update(text).digest('hex').slice(0, 8) };
}
