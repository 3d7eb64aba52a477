import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import * as workflows from '../../workflows/index.ts';
import { bundleWorkflows, quietRuntime } from '../support/temporal.ts';
import * as changedWorkflows from './changed-workflows.ts';

/**
 * Histories of real runs, one file each: recorded by a script, and where that can't bring the moment about (`cancelled-late`,
 * `lost-delivery`) on the server of the test that can. A workflow that can't be replayed over one of them would get stuck in every run
 * that is under way when it is deployed.
 */
const FOLDER = join(import.meta.dirname, 'histories');

interface RecordedHistory {
  readonly events: readonly {
    readonly workflowExecutionStartedEventAttributes?: { readonly workflowType?: { readonly name?: string } };
  }[];
}

const read = (file: string): RecordedHistory => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as RecordedHistory;
const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.json')) : [];
const typeOf = ({ events }: RecordedHistory): string | undefined =>
  events[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name;

let bundle: WorkflowBundleWithSourceMap;
let changedBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  quietRuntime();
  bundle = await bundleWorkflows();
  changedBundle = await bundleWorkflows(join(import.meta.dirname, 'changed-workflows.ts'));
});

const replay = (workflowBundle: WorkflowBundleWithSourceMap, file: string): Promise<void> =>
  Worker.runReplayHistory({ workflowBundle }, read(file));

describe('the recorded histories', () => {
  it('are there, and each workflow that a worker registers has one', () => {
    const recorded = new Set(files.map((file) => typeOf(read(file))));
    const missing = Object.keys(workflows).filter((name) => !recorded.has(name));
    expect(files).not.toEqual([]);
    expect(missing).toEqual([]);
  });

  it('are shown to changed workflows of the same names', () => {
    expect(Object.keys(changedWorkflows).toSorted()).toEqual(Object.keys(workflows).toSorted());
  });

  for (const file of files) {
    it(`are replayed without a difference: ${file}`, async () => {
      await expect(replay(bundle, file)).resolves.toBeUndefined();
    });

    it(`show a workflow that has changed: ${file}`, async () => {
      await expect(replay(changedBundle, file)).rejects.toBeInstanceOf(DeterminismViolationError);
    });
  }
});
