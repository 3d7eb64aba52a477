import type { Command } from 'commander';
import { createApiClient, type ApiClient } from './api-client.ts';
import { CliError } from './cli-error.ts';
import type { CliIo } from './cli-io.ts';

/** Makes a client of the public API of what the options of a command say. */
export type ConnectApi = (command: Command) => ApiClient;

/** @throws CliError when the options can't be right */
export function createConnectApi(io: CliIo): ConnectApi {
  return (command) => {
    const options = command.optsWithGlobals<{ baseUrl: string; apiKey?: string; adminKey?: string }>();
    // An admin key is a key of the public API as well.
    const key = options.apiKey ?? options.adminKey;
    if (!/^https?:\/\//.test(options.baseUrl) || !URL.canParse(options.baseUrl)) {
      throw new CliError('The address of the API must look like http://127.0.0.1:8484/v1 (--base-url).');
    }
    if (key === undefined) {
      throw new CliError('There is no key. Set FLATLANE_API_KEY to one that `flatlane keys create` has made.');
    }
    const { interrupted } = io;
    return createApiClient({ baseUrl: options.baseUrl, key: key.trim(), interrupted, sleep: (ms) => io.sleep(ms) });
  };
}

/** The path of a batch, or of something below it, behind /v1. */
export const batchPath = (id: string, rest = ''): string => `/batches/${encodeURIComponent(id)}${rest}`;
