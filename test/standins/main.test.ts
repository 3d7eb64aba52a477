import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { expect, it } from 'vitest';

interface Addresses {
  readonly control: string;
  readonly chatgpt: { readonly caFile: string };
  readonly openai: { readonly url: string; readonly key: string };
}

it('runs both stand-ins as a process that is steered over HTTP and ends with its standard input', async () => {
  // The built file, for Node 20 runs no TypeScript.
  const main = join(import.meta.dirname, '../../dist/test/standins/main.js');
  const options = JSON.stringify({ chatgpt: { accounts: { home: {} } }, openai: { keepBodies: false } });
  const child = spawn(process.execPath, [main, options], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { control, chatgpt, openai } = JSON.parse(line) as Addresses;
  const post = async (path: string, body: object): Promise<number> =>
    (await fetch(control + path, { method: 'POST', body: JSON.stringify(body) })).status;

  const client = new OpenAI({ apiKey: openai.key, baseURL: openai.url, maxRetries: 0 });
  const ask = () => client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'id=a' }] });
  await ask();
  expect(await post('/script', { patch: { failNext: ['status:500'] } })).toBe(200);
  await expect(ask()).rejects.toMatchObject({ status: 500 });
  expect(await (await fetch(`${control}/counts`)).json()).toMatchObject({
    openai: { calls: 2, byMarker: { a: { calls: 2, answered: 1 } } },
  });

  expect(await post('/script', { account: 'home', patch: { exhaustAfter: 0 } })).toBe(200);
  expect(await post('/script', { account: 'nobody', patch: {} })).toBe(400);
  expect(await post('/approve', { userCode: 'none', account: 'home' })).toBe(400);

  expect(existsSync(chatgpt.caFile)).toBe(true);
  child.stdin.end();
  expect(await exited).toEqual([0, null]);
  expect(existsSync(chatgpt.caFile)).toBe(false);
});
