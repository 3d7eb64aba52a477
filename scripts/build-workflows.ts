import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { workflowBundlePath } from '../core/workflow-bundle.ts';

/** Bundles the compiled workflows once, at build time: a worker starts two seconds sooner, and never without them. */
const workflowsPath = join(dirname(fileURLToPath(import.meta.url)), '..', 'workflows', 'index.js');
const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });

await writeFile(workflowBundlePath, code);
