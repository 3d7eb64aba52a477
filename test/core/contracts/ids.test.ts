import { describe, expect, it } from 'vitest';
import { attemptKey, chunkKey, chunkWorkflowId, completionWorkflowId, lineKey } from '../../../core/contracts/ids.ts';
import { laneTaskQueue, TASK_PRIORITY, WORKFLOW_TASK_QUEUE } from '../../../core/contracts/queues.ts';

describe('the names of things', () => {
  it('sort lines as their numbers do, up to the largest batch', () => {
    const numbers = [1, 2, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 50_000];
    const keys = numbers.map((line) => lineKey('batch_a', line));
    expect(keys.toSorted()).toEqual(keys);
    expect(keys[0]).toBe('batch_a:000001');
  });

  it('sort chunks as their numbers do, and keep them apart from lines', () => {
    const keys = [0, 1, 9, 10, 199].map((chunk) => chunkKey('batch_a', chunk));
    expect(keys.toSorted()).toEqual(keys);
    expect(keys[0]).toBe('batch_a:c00000');
    expect(keys).not.toContain(lineKey('batch_a', 1));
  });

  it('are the ones that stored data, histories and queues already have', () => {
    expect(completionWorkflowId('req_1')).toBe('completion/req_1');
    expect(chunkWorkflowId('batch_a', 7)).toBe('batch_a/chunk-7');
    expect(attemptKey('batch_a:000001', 2, 1)).toBe('batch_a:000001#2.1');
    expect(laneTaskQueue('0a1b')).toBe('lane.0a1b.v1');
    expect(WORKFLOW_TASK_QUEUE).toBe('flatlane.v1');
  });

  it('put interactive requests before batch lines', () => {
    expect(TASK_PRIORITY.interactive).toBeLessThan(TASK_PRIORITY.batch);
  });
});
