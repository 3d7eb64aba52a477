import { describe, expect, it } from 'vitest';
import {
  batchStatesBefore,
  CHUNKS_AT_A_TIME,
  GROUP_LINES,
  GROUPS_IN_FLIGHT,
  LINES_IN_A_CHUNK,
  TERMINAL_BATCH_STATES,
  type BatchStatus,
} from '../../../core/contracts/batch.ts';

/** Where a batch may go from each state. Written from the batch's side; the code has it from the other. */
const MAY_BECOME: Record<BatchStatus, readonly BatchStatus[]> = {
  validating: ['failed', 'in_progress', 'expired', 'cancelling'],
  in_progress: ['finalizing', 'expired', 'cancelling'],
  finalizing: ['completed'],
  cancelling: ['cancelled'],
  failed: [],
  completed: [],
  expired: [],
  cancelled: [],
};
const STATES = Object.keys(MAY_BECOME) as BatchStatus[];

describe('the states of a batch', () => {
  it.each(STATES)('lead from %s only where they may', (from) => {
    const reached = STATES.filter((to) => batchStatesBefore(to).includes(from));
    expect(reached.toSorted()).toEqual(MAY_BECOME[from].toSorted());
  });

  it('are terminal exactly where nothing follows', () => {
    const ends = STATES.filter((state) => MAY_BECOME[state].length === 0);
    expect([...TERMINAL_BATCH_STATES].toSorted()).toEqual(ends.toSorted());
  });
});

describe('the sizes of a batch', () => {
  it('keep a chunk below the events at which Temporal asks for a new run, at 8 events a line', () => {
    expect(LINES_IN_A_CHUNK * 8).toBeLessThan(4096);
  });

  it('keep what is in flight below the 2,000 pending activities and children of a workflow', () => {
    expect(GROUPS_IN_FLIGHT.plan + GROUPS_IN_FLIGHT.key).toBeLessThan(2000);
    expect(CHUNKS_AT_A_TIME).toBeLessThan(2000);
    expect(Math.max(GROUP_LINES.plan, GROUP_LINES.key)).toBeLessThanOrEqual(LINES_IN_A_CHUNK);
  });
});
