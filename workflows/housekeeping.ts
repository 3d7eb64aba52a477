import { housekeepingActivities } from './proxies.ts';

/** One round of the housekeeping, started by its schedule. Its history holds how much of each kind was removed. */
export async function housekeepingWorkflow(): Promise<Readonly<Record<string, number>>> {
  return housekeepingActivities.housekeep();
}
