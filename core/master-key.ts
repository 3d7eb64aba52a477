import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { newMasterKey } from './secret-box.ts';

/**
 * The master key: the configured one, or the one in the data folder, which is made at the first start (mode 0600).
 * Without it nothing that was sealed opens again: back it up apart from the database.
 */
export async function loadMasterKey(configured: string | undefined, dataDir: string): Promise<string> {
  if (configured !== undefined) return configured;
  const path = join(dataDir, 'master-key');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const file = await open(path, 'wx', 0o600);
    const key = newMasterKey();
    await file.writeFile(`${key}\n`);
    await file.sync();
    await file.close();
    return key;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return (await readFile(path, 'utf8')).trim();
  }
}
