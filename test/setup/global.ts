import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createLogger } from '../../core/log.ts';
import { formatFaults } from '../support/fault-table.ts';
import { ensureTools, startMongodb } from '../../stack/start-stack.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A MongoDB-wire server for the tests of the store; each test file takes a database of its own. */
    mongodbUri: string;
    /** Where fault tests note what they have seen. */
    faultTable: string;
  }
}

/** Runs once before all test files: builds the tools if they are not cached, and starts the database that the store's tests share. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const onProgress = (line: string): void => void process.stdout.write(`${line}\n`);
  await ensureTools(onProgress);
  const dataDir = await mkdtemp(join(import.meta.dirname, '..', '..', '.flatlane-test-'));
  const mongodb = await startMongodb({ dataDir, log: createLogger('warn', 'test'), onProgress });
  project.provide('mongodbUri', mongodb.address);
  const faultTable = join(dataDir, 'faults.jsonl');
  project.provide('faultTable', faultTable);
  return async () => {
    const faults = await formatFaults(faultTable);
    if (faults !== undefined) onProgress(`\n${faults}\n`);
    await mongodb.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}
