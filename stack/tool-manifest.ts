import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const MANIFEST = 'manifest.json';

interface FileEntry {
  /** Path within the folder. */
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** Writes down what a folder holds, and brings all of it to the disk: after a power cut a folder that is there is whole. */
export async function writeManifest(folder: string): Promise<void> {
  const files: FileEntry[] = [];
  for (const name of await listFiles(folder)) {
    const path = join(folder, name);
    files.push({ name, size: (await stat(path)).size, sha256: await digest(path) });
    await syncFile(path);
  }
  // Whole or not at all: another start may read it at this moment.
  const unfinished = join(folder, `.${MANIFEST}.${randomUUID()}`);
  await writeFile(unfinished, JSON.stringify(files));
  await syncFile(unfinished);
  await rename(unfinished, join(folder, MANIFEST));
}

/** Whether it is written down what a folder holds. */
export async function hasManifest(folder: string): Promise<boolean> {
  return (await stat(join(folder, MANIFEST)).catch(() => null)) !== null;
}

/**
 * What is wrong with a folder, in a few words, or null. A folder from before manifests were written has none and is taken as it is.
 * @param depth `sizes` takes a moment; `content` reads all of it, 0.3 s for Temporal's 138 MB
 */
export async function findDamage(folder: string, depth: 'sizes' | 'content'): Promise<string | null> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => null);
  if (text === null) return null;
  let files: readonly FileEntry[];
  try {
    files = JSON.parse(text) as readonly FileEntry[];
  } catch {
    return `${MANIFEST} cannot be read`;
  }
  for (const { name, size, sha256 } of files) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found === null) return `${name} is missing`;
    if (found.size !== size) return `${name} has ${found.size} bytes instead of ${size}`;
    if (depth === 'content' && (await digest(path)) !== sha256) return `${name} has changed`;
  }
  return null;
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return (
    entries
      // Not the manifest itself, also one that another start is about to write.
      .filter((entry) => entry.isFile() && !entry.name.includes(MANIFEST))
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  );
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Brings a file, or a folder's list of files, to the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
