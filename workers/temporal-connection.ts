import { NativeConnection } from '@temporalio/worker';
import type { Config } from '../core/config.ts';

/**
 * Connects to the Temporal server of the configuration. One connection serves every worker of the process, and its client.
 * @throws when nobody answers at the address
 */
export function connectTemporal(config: Config, address: string): Promise<NativeConnection> {
  const apiKey = config.TEMPORAL_API_KEY;
  return NativeConnection.connect({
    address,
    tls: config.TEMPORAL_TLS ?? apiKey !== undefined,
    ...(apiKey === undefined ? {} : { apiKey }),
  });
}
