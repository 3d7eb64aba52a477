import { mkdtemp, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createAdminHttp, type AdminHttp } from '../admin-http.ts';
import { createOpenaiHttp, type OpenaiHttp } from '../openai-http.ts';
import { startLineProcess, type LineProcess } from './line-process.ts';

/** What a benchmark runs against: flatlane in a process of its own, stand-ins in another. */
export interface BenchWorld {
  readonly url: string;
  readonly key: string;
  readonly admin: AdminHttp;
  readonly api: OpenaiHttp;
  /** The stand-in OpenAI API, to be called directly as the yardstick. */
  readonly direct: { readonly url: string; readonly key: string };
  readonly gateway: LineProcess;
  /** Where the stand-ins are steered. */
  readonly control: string;
  /** Aliases of the two accounts, by lane id. */
  readonly accounts: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

export const PLAN_MODEL = 'gpt-5.5';
export const KEY_MODEL = 'gpt-5.4';
/** The same key lane under a route that wants a workflow for each request. */
export const DURABLE_KEY_MODEL = 'gpt-5.4-mini';

interface StandInsReady {
  readonly control: string;
  readonly chatgpt: {
    readonly codexEnvironment: Record<string, string>;
    readonly codexConfig: string[];
  };
  readonly openai: { readonly url: string; readonly key: string };
}

/** Two accounts that share PLAN_MODEL, a key lane on KEY_MODEL and DURABLE_KEY_MODEL, and nothing that could fall back from one to the other. */
export async function startBenchWorld(): Promise<BenchWorld> {
  const dataDir = await mkdtemp(resolve('.flatlane-bench-'));
  const standIns = startLineProcess('test/standins/main.js', [
    JSON.stringify({
      chatgpt: { accounts: { home: {}, work: {} }, autoApprove: true, keepBodies: false },
      openai: { keepBodies: false },
    }),
  ]);
  const { chatgpt, openai, control } = JSON.parse((await standIns.waitFor(/^\{.*\}$/m))[0]) as StandInsReady;
  const gateway = startLineProcess('scripts/start.js', ['--data', dataDir, '--port', '0', '--admin-port', '0'], {
    FLATLANE_LOG_LEVEL: 'error',
    FLATLANE_CODEX_ENV: JSON.stringify(chatgpt.codexEnvironment),
    FLATLANE_CODEX_CONFIG: JSON.stringify(chatgpt.codexConfig),
  });
  const stop = async (): Promise<void> => {
    await gateway.stop();
    await standIns.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const url = (await gateway.waitFor(/API +(http:\S+)\/v1/))[1] ?? '';
    const adminUrl = (await gateway.waitFor(/Admin +(http:\S+)/))[1] ?? '';
    const key = (await gateway.waitFor(/FLATLANE_ADMIN_KEY=(sk-fl-\S+)/))[1] ?? '';
    const admin = createAdminHttp(adminUrl, key);
    const home = await admin.addAccount('home', () => undefined);
    const work = await admin.addAccount('work', () => undefined);
    const keyLane = await admin.addKeyLane({ alias: 'key', baseUrl: openai.url, apiKey: openai.key, concurrency: 128 });
    // On one rung, so that both have something to do; in turn the second one would wait until the first is used up.
    const shared = [home.id, work.id].map((laneId) => ({ laneId, rung: 1 }));
    await admin.call('PUT', `/admin/routes/${PLAN_MODEL}`, { lanes: shared });
    await admin.setRoute(KEY_MODEL, [keyLane]);
    await admin.call('PUT', `/admin/routes/${DURABLE_KEY_MODEL}`, { lanes: [{ laneId: keyLane }], direct: false });
    const accounts = new Map([home, work].map(({ id, alias }) => [id, alias]));
    const api = createOpenaiHttp(`${url}/v1`, key);
    return { url: `${url}/v1`, key, admin, api, direct: openai, gateway, control, accounts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
