import { rm } from 'node:fs/promises';
import OpenAI from 'openai';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAdminHttp } from '../../scripts/admin-http.ts';
import { startChatgptBackend, type ChatgptBackend } from '../standins/chatgpt/backend.ts';
import { codexEnvironment, newDataDir, readAddresses, spawnStart } from '../support/gateway.ts';
import type { SpawnedNode } from '../support/spawned-node.ts';

let dataDir: string;
let chatgpt: ChatgptBackend;
const started: SpawnedNode[] = [];

beforeEach(async () => {
  dataDir = await newDataDir();
  chatgpt = await startChatgptBackend({ accounts: { home: {} } });
});
afterEach(async () => {
  for (const process of started.splice(0)) await process.stop();
  await chatgpt.close();
  await rm(dataDir, { recursive: true, force: true });
});

const start = (): SpawnedNode => {
  const process = spawnStart(dataDir, codexEnvironment(chatgpt));
  started.push(process);
  return process;
};

const ask = async (url: string, key: string): Promise<string | null | undefined> => {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` });
  const answer = await client.chat.completions.create({
    model: 'gpt-5.5',
    messages: [{ role: 'user', content: 'hello' }],
  });
  return answer.choices[0]?.message.content;
};

it('starts on an empty folder, stops in order, and starts again on the same one with all that it had', async () => {
  const first = start();
  const { url, adminUrl } = await readAddresses(first);
  const key = (await first.waitFor(/FLATLANE_ADMIN_KEY=(sk-fl-\S+)/))[1] ?? '';
  await createAdminHttp(adminUrl, key).addAccount('home', (code) => chatgpt.approve(code, 'home'));
  expect(await ask(url, key)).toBe('echo: hello');
  expect(await first.stop()).toBe(0);

  const second = start();
  const again = await readAddresses(second);
  expect(second.output()).not.toContain('sk-fl-');
  const admin = createAdminHttp(again.adminUrl, key);
  const { data } = await admin.call<{ data: { id: string }[] }>('GET', '/admin/accounts');
  await admin.waitForAccount(data[0]?.id ?? '', ({ state }) => state === 'ready', 30_000);
  expect(await ask(again.url, key)).toBe('echo: hello');
});

it('is itself again after kill -9', async () => {
  const first = start();
  const { adminUrl } = await readAddresses(first);
  const key = (await first.waitFor(/FLATLANE_ADMIN_KEY=(sk-fl-\S+)/))[1] ?? '';
  await createAdminHttp(adminUrl, key).createKey('kept', false);
  await first.kill();

  const second = start();
  const again = await readAddresses(second);
  const { data } = await createAdminHttp(again.adminUrl, key).call<{ data: { name: string }[] }>('GET', '/admin/keys');
  expect(data.map(({ name }) => name)).toContain('kept');
});

it('refuses a second start on the same folder and names a port that is in use', async () => {
  const first = start();
  const { url } = await readAddresses(first);
  const second = start();
  expect(await second.ended).toBe(1);
  expect(second.output()).toMatch(/could not start/);

  const otherDir = await newDataDir();
  const { port } = new URL(url);
  const third = spawnStart(otherDir, { ...codexEnvironment(chatgpt), FLATLANE_ADMIN_PORT: '0' }, port);
  started.push(third);
  expect(await third.ended).toBe(1);
  expect(third.output()).toContain(`Port ${port} for the API is in use`);
  await rm(otherDir, { recursive: true, force: true });
});
