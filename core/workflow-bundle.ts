import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The path of the prebuilt workflow bundle in a built tree.
 * @throws Error that says how to build it: a worker never starts without its workflows
 */
export async function findWorkflowBundle(): Promise<string> {
  try {
    await access(workflowBundlePath);
  } catch (cause) {
    throw new Error('The workflow bundle is missing. Build it with: npm run build', { cause });
  }
  return workflowBundlePath;
}

export const workflowBundlePath = join(dirname(fileURLToPath(import.meta.url)), '..', 'workflow-bundle.js');
