import { expect, it } from 'vitest';
import { createBatchGate } from '../../../activities/serve/batch-gate.ts';
import { DEFAULT_CONTROL } from '../../../core/contracts/batch-control.ts';
import type { BatchLeave } from '../../../store/batch-control.ts';

const NOW = 1_700_000_000_000;
const gate = (leave: BatchLeave | null) =>
  createBatchGate({ batchControl: { find: async () => leave }, clock: { now: () => NOW } });
const leaveOf = (control: Partial<typeof DEFAULT_CONTROL>, roomMicros = 10): BatchLeave => ({
  control: { ...DEFAULT_CONTROL, ...control },
  spend: { roomMicros },
});

it.each([
  { what: 'runs', leave: leaveOf({}), metered: undefined, free: undefined },
  { what: 'is gone', leave: null, metered: undefined, free: undefined },
  { what: 'is being cancelled', leave: { ...leaveOf({}), isEnding: true as const }, metered: /ends/, free: /ends/ },
  { what: 'is paused', leave: leaveOf({ paused: true }), metered: /paused/, free: /paused/ },
  {
    what: 'may cost nothing any more',
    leave: leaveOf({ metered: 'never' }),
    metered: /not cost anything/,
    free: undefined,
  },
  { what: 'has no room left but for what is held', leave: leaveOf({}, 0), metered: undefined, free: undefined },
  { what: 'has a limit below what is paid and held', leave: leaveOf({}, -1), metered: /as much/, free: undefined },
])('lines of a batch that $what', async ({ leave, metered, free }) => {
  const why = async (isMetered: boolean): Promise<string | undefined> => (await gate(leave)('batch', isMetered))?.why;
  for (const [isMetered, expected] of [
    [true, metered],
    [false, free],
  ] as const) {
    const given = await why(isMetered);
    if (expected === undefined) expect(given).toBeUndefined();
    else expect(given).toMatch(expected);
  }
});

it('is asked of the database once for lines that come together', async () => {
  let reads = 0;
  const heldBack = createBatchGate({
    batchControl: {
      find: async () => {
        reads += 1;
        return leaveOf({});
      },
    },
    clock: { now: () => NOW },
  });
  await Promise.all(Array.from({ length: 25 }, () => heldBack('batch', true)));
  expect(reads).toBe(1);
});
