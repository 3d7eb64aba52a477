import { join } from 'node:path';
import { readOrMakeFile } from './first-start-file.ts';
import { newMasterKey } from './secret-box.ts';

/**
 * The master key: the configured one, or the one in the data folder, which is made at the first start (mode 0600).
 * Without it nothing that was sealed opens again: back it up apart from the database.
 */
export async function loadMasterKey(configured: string | undefined, dataDir: string): Promise<string> {
  return configured ?? readOrMakeFile(join(dataDir, 'master-key'), newMasterKey);
}
