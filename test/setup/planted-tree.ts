import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..', '..');

const reportSchema = z.looseObject({
  diagnostics: z.array(z.looseObject({ filename: z.string(), code: z.string(), message: z.string() })),
});

/**
 * Lints sources as if they stood in this repository, without putting them there: they are written into a temporary
 * folder with our own lint and compiler settings, and linted in one run.
 * @param sources path in the repository → text
 * @returns path → the codes of the rules that it breaks, in order; empty where it is clean
 */
export async function lintPlanted(sources: ReadonlyMap<string, string>): Promise<Map<string, string[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'flatlane-lint-'));
  try {
    for (const file of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) {
      await copyFile(join(ROOT, file), join(folder, file));
    }
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
    for (const [path, text] of sources) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const { diagnostics } = reportSchema.parse(JSON.parse(await runLint(folder)));
    const broken = new Map([...sources.keys()].map((path) => [path, [] as string[]]));
    for (const { filename, code, message } of diagnostics) {
      const codes = broken.get(filename);
      if (codes === undefined)
        throw new Error(`oxlint reports ${code} in ${filename}, which was not planted: ${message}`);
      codes.push(code);
    }
    return broken;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The report of oxlint as JSON. It exits with 1 when a rule is broken, which is no failure here. */
function runLint(folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint'), '--format=json'],
      { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (stdout.trimStart().startsWith('{')) resolve(stdout);
        else reject(new Error(`oxlint gave no report: ${stdout}${stderr}`, { cause: error }));
      },
    );
  });
}
