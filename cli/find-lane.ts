import type { AdminClient } from './admin-client.ts';
import { accountList, laneList, type Account, type LaneView } from './admin-shapes.ts';
import { CliError } from './cli-error.ts';

/**
 * Finds an account by its alias or its id.
 * @throws CliError that names the accounts there are.
 */
export async function findAccount(client: AdminClient, aliasOrId: string): Promise<Account> {
  const { data: accounts } = await client.request('GET', '/admin/accounts', accountList);
  const found = accounts.find(({ alias }) => alias === aliasOrId) ?? accounts.find(({ id }) => id === aliasOrId);
  if (found !== undefined) return found;
  const known = accounts.map(({ alias }) => alias).join(', ');
  throw new CliError(
    known === ''
      ? 'There are no accounts yet. Add one with `flatlane login`.'
      : `There is no account '${aliasOrId}'. There are: ${known}.`,
  );
}

/**
 * Finds a lane by its alias or its id.
 * @throws CliError that names the lanes there are.
 */
export async function findLane(client: AdminClient, aliasOrId: string): Promise<LaneView> {
  const { data: lanes } = await client.request('GET', '/admin/lanes', laneList);
  const found = lanes.find(({ alias }) => alias === aliasOrId) ?? lanes.find(({ id }) => id === aliasOrId);
  if (found !== undefined) return found;
  const known = lanes.map(({ alias }) => alias).join(', ');
  throw new CliError(
    known === ''
      ? 'There are no lanes yet. Add one with `flatlane login` or `flatlane lanes add-key`.'
      : `There is no lane '${aliasOrId}'. There are: ${known}.`,
  );
}
