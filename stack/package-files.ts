import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The path of a file that ships beside the sources of this folder (Go modules, Java sources, plain JavaScript), whether
 * this runs from the sources or from the compiled tree below them.
 */
export function stackFile(...segments: string[]): string {
  return join(findPackageRoot(import.meta.dirname), 'stack', ...segments);
}

function findPackageRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'stack', 'leash.mjs'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('The folder stack/ of the package is missing; it must ship with dist/.');
  return findPackageRoot(parent);
}
