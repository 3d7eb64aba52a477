import { ScheduleAlreadyRunning, type Client } from '@temporalio/client';
import { HOUSEKEEPING_EVERY_MS } from '../../core/contracts/timings.ts';
import { WORKFLOW_TASK_QUEUE } from '../../core/contracts/queues.ts';
import type { Logger } from '../../core/log.ts';
import type { housekeepingWorkflow } from '../../workflows/housekeeping.ts';

export const HOUSEKEEPING_ID = 'flatlane-housekeeping';

/** A round that was missed while the server was away is made up for only if it was due just now: the next one does its work. */
const CATCH_UP_MS = 60_000;

/** A round that finds no worker, or hangs, is given up before the fourth after it is due. */
const ROUND_LIMIT_MS = 3 * HOUSEKEEPING_EVERY_MS;

/** At a start, rounds that were missed for longer than this are made up for by one: some installations never run for long. */
const STALE_AFTER_MS = 3_600_000;

interface HousekeepingScheduleDeps {
  readonly client: Pick<Client, 'schedule'>;
  readonly log: Pick<Logger, 'error'>;
}

/**
 * Makes sure that the housekeeping runs by a schedule, as this version wants it, also where an earlier one has made it. For any
 * number of processes at a time. What its owner has paused stays paused.
 */
export async function ensureHousekeepingSchedule({ client, log }: HousekeepingScheduleDeps): Promise<void> {
  const wanted = {
    spec: { intervals: [{ every: HOUSEKEEPING_EVERY_MS }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'housekeepingWorkflow',
      workflowId: HOUSEKEEPING_ID,
      taskQueue: WORKFLOW_TASK_QUEUE,
      args: [] as [],
      workflowExecutionTimeout: ROUND_LIMIT_MS,
    },
    policies: { overlap: 'SKIP' as const, catchupWindow: CATCH_UP_MS },
  };
  try {
    try {
      await client.schedule.create<typeof housekeepingWorkflow>({ scheduleId: HOUSEKEEPING_ID, ...wanted });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      const handle = client.schedule.getHandle(HOUSEKEEPING_ID);
      await handle.update<typeof housekeepingWorkflow>(({ state }) => ({ ...wanted, state }));
      const { info, state } = await handle.describe();
      const lastAt = info.recentActions.at(-1)?.takenAt ?? info.createdAt;
      if (!state.paused && Date.now() - lastAt.getTime() > STALE_AFTER_MS) await handle.trigger('SKIP');
    }
  } catch (error) {
    // No reason to serve nobody: what is past its end is refused to readers anyhow, and the next start tries again.
    log.error({ err: error }, 'the schedule of the housekeeping could not be made: nothing is removed from the disk');
  }
}
