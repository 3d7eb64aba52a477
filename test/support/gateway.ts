import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import OpenAI from 'openai';
import { createAdminHttp, type AdminHttp } from '../../scripts/admin-http.ts';
import { startChatgptBackend, type ChatgptBackend } from '../standins/chatgpt/backend.ts';
import type { AccountScript } from '../standins/chatgpt/account.ts';
import { startOpenaiApi, type OpenaiApi } from '../standins/openai/api.ts';
import { ROOT, spawnNode, type SpawnedNode } from './spawned-node.ts';

/** flatlane as its owner runs it (`npm start`), on real parts, with stand-ins where the far side is OpenAI. */
export interface Gateway {
  readonly process: SpawnedNode;
  readonly url: string;
  readonly adminUrl: string;
  readonly adminKey: string;
  readonly admin: AdminHttp;
  readonly chatgpt: ChatgptBackend;
  readonly openai: OpenaiApi;
  readonly dataDir: string;
  /** The official client, which does not try again by itself. */
  client(key?: string): OpenAI;
  stop(): Promise<void>;
}

/** A data folder outside the system's temporary folder: the Codex CLI warns about homes in there. */
export async function newDataDir(): Promise<string> {
  return mkdtemp(join(ROOT, '.flatlane-test-'));
}

/** Environment with which a process uses the stand-in backend. */
export function codexEnvironment(chatgpt: ChatgptBackend): Record<string, string> {
  return {
    FLATLANE_CODEX_ENV: JSON.stringify(chatgpt.codexEnvironment),
    FLATLANE_CODEX_CONFIG: JSON.stringify(chatgpt.codexConfig),
  };
}

/**
 * Starts `npm start`'s process on free ports over a new data folder.
 * @param environment settings beside those of the stand-ins
 */
export async function startGateway(
  accounts: Readonly<Record<string, AccountScript>> = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Gateway> {
  const dataDir = await newDataDir();
  const chatgpt = await startChatgptBackend({ accounts });
  const openai = await startOpenaiApi({});
  const process = spawnStart(dataDir, { ...codexEnvironment(chatgpt), ...environment });
  try {
    const { url, adminUrl } = await readAddresses(process);
    const adminKey = (await process.waitFor(/FLATLANE_ADMIN_KEY=(sk-fl-\S+)/))[1] ?? '';
    return {
      process,
      url,
      adminUrl,
      adminKey,
      admin: createAdminHttp(adminUrl, adminKey),
      chatgpt,
      openai,
      dataDir,
      client: (key = adminKey) => new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 }),
      async stop() {
        await process.stop();
        await chatgpt.close();
        await openai.close();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await process.kill();
    throw error;
  }
}

export function spawnStart(dataDir: string, environment: Readonly<Record<string, string>>, port = '0'): SpawnedNode {
  return spawnNode('scripts/start.js', ['--data', dataDir, '--port', port, '--admin-port', '0'], {
    FLATLANE_LOG_LEVEL: 'warn',
    ...environment,
  });
}

/** The addresses that a started process prints. */
export async function readAddresses(process: SpawnedNode): Promise<{ url: string; adminUrl: string }> {
  const url = (await process.waitFor(/API +(http:\S+)\/v1/))[1] ?? '';
  const adminUrl = (await process.waitFor(/Admin +(http:\S+)/))[1] ?? '';
  await process.waitFor(/Ctrl-C stops everything/);
  return { url, adminUrl };
}
