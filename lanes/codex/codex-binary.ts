import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

/**
 * The version whose protocol, flags and wire behaviour the tests of this folder were measured on. A bump here must pass
 * the same tests: what a newer CLI adds to a prompt, or lets a prompt do, is not known before.
 */
export const PINNED_CODEX_VERSION = '0.169.0';

/** `--version` answers in 50 ms; a binary that takes this long is not going to. */
const VERSION_TIMEOUT_MS = 10_000;

export interface CodexBinary {
  readonly path: string;
  readonly version: string;
}

const packageSchema = z.object({ version: z.string() });

/** The native binaries by Node's platform and architecture, as the package names them. */
const TARGETS: Readonly<Record<string, string>> = {
  'linux-x64': 'x86_64-unknown-linux-musl',
  'linux-arm64': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
  'win32-x64': 'x86_64-pc-windows-msvc',
  'win32-arm64': 'aarch64-pc-windows-msvc',
};

/**
 * Finds the native Codex binary of the pinned npm package. The native one rather than the package's JavaScript wrapper:
 * one process fewer, and the pid that is watched and ended is the one that does the work.
 * @throws Error that says what to install when the package, its native part or the pinned version is not there.
 */
export async function findCodexBinary(): Promise<CodexBinary> {
  const platform = `${process.platform}-${process.arch}`;
  const target = TARGETS[platform];
  const install = `Install it with: npm install @openai/codex@${PINNED_CODEX_VERSION} (with optional dependencies).`;
  if (target === undefined) throw new Error(`The Codex CLI has no binary for ${platform}.`);
  const folder = packageFolder(platform);
  if (folder === undefined) throw new Error(`The native part of the Codex CLI for ${platform} is missing. ${install}`);
  const path = join(folder, 'vendor', target, 'bin', process.platform === 'win32' ? 'codex.exe' : 'codex');
  if (!existsSync(path)) throw new Error(`The Codex CLI's binary is missing in ${folder}. ${install}`);
  const version = await readVersion(path);
  assertPinned(version);
  return { path, version };
}

/** @throws Error if the version is another than the one that the lane was tested with. */
export function assertPinned(version: string): void {
  if (version === PINNED_CODEX_VERSION) return;
  throw new Error(
    `The Codex CLI is version ${version}, and the plan lane is tested with ${PINNED_CODEX_VERSION} only. ` +
      `Install that one: npm install @openai/codex@${PINNED_CODEX_VERSION}`,
  );
}

function packageFolder(platform: string): string | undefined {
  try {
    const wrapper = createRequire(import.meta.url).resolve('@openai/codex/package.json');
    packageSchema.parse(JSON.parse(readFileSync(wrapper, 'utf8')));
    return dirname(createRequire(wrapper).resolve(`@openai/codex-${platform}/package.json`));
  } catch {
    return undefined;
  }
}

async function readVersion(path: string): Promise<string> {
  // CODEX_HOME must exist before any command of the CLI; a throw-away one, so that nothing of the host is read.
  const home = await mkdtemp(join(tmpdir(), 'flatlane-codex-version-'));
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], {
      env: { CODEX_HOME: home, HOME: home },
      timeout: VERSION_TIMEOUT_MS,
    });
    const version = /(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
    if (version === undefined) throw new Error(`The Codex CLI at ${path} does not say its version.`);
    return version;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
