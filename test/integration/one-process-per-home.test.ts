import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApart, type Apart } from '../support/apart.ts';

let apart: Apart;
let accountId: string;

beforeAll(async () => {
  // Workers with folders of their own must be able to open what another one has sealed.
  apart = await startApart({ home: {} }, { FLATLANE_MASTER_KEY: randomBytes(32).toString('base64') });
  accountId = (await apart.admin.addAccount('home', (code) => apart.chatgpt.approve(code, 'home'))).id;
});
afterAll(() => apart.stop());

const ask = async (content: string): Promise<string | null | undefined> => {
  const answer = await apart.openaiClient.chat.completions.create({
    model: 'gpt-5.5',
    messages: [{ role: 'user', content }],
  });
  return answer.choices[0]?.message.content;
};

it('leaves an account to the process that has its home, and takes it over when that one is killed', async () => {
  const first = apart.worker();
  const second = await apart.startSecondWorker('shared');
  const refusal = await second.waitFor(/in use by process (\d+) on/, 20_000);
  expect(Number(refusal[1])).toBe(first.pid);
  // Only the first one takes the lane's tasks: the second would have to refuse them.
  for (let call = 0; call < 6; call += 1) expect(await ask(`call ${call}`)).toBe(`echo: call ${call}`);
  const { data } = await apart.admin.call<{ data: { attempts: { outcome: string }[] }[] }>('GET', '/admin/logs');
  expect(data.flatMap(({ attempts }) => attempts.map(({ outcome }) => outcome))).toEqual(
    Array.from({ length: 6 }, () => 'answered'),
  );
  expect(await apart.admin.call('GET', `/admin/accounts/${accountId}`)).toMatchObject({ account: { state: 'ready' } });

  await first.kill();
  await second.waitFor(/a lane is hosted/, 30_000);
  expect(await ask('from the second')).toBe('echo: from the second');
  expect(apart.chatgpt.refreshes('home')).toBe(0);
  await second.kill();
});

it('leaves out an account whose worker is gone, says so, and uses it again when a worker is back', async () => {
  const { admin, openai } = apart;
  const meter = await admin.addKeyLane({ alias: 'meter', baseUrl: openai.url, apiKey: openai.key });
  await admin.setRoute('gpt-5.5', [accountId, meter]);
  // A worker of another machine: it has the key lane, and not the account.
  await apart.startSecondWorker('own');
  const account = async () =>
    (await admin.call<{ account: { state: string; why: string | null } }>('GET', `/admin/accounts/${accountId}`))
      .account;
  await expect
    .poll(account, { timeout: 70_000, interval: 1_000 })
    .toMatchObject({ state: 'unhealthy', why: expect.stringContaining('no worker serves it') as string });
  const { data, response } = await apart.openaiClient.chat.completions
    .create({ model: 'gpt-5.5', messages: [{ role: 'user', content: 'who serves?' }] })
    .withResponse();
  expect(data.choices[0]?.message.content).toBe('echo: who serves?');
  expect(response.headers.get('x-flatlane-account')).toBe('meter');
  expect(response.headers.get('x-flatlane-attempts')).toBe('1');

  await apart.startWorker();
  await expect.poll(account, { timeout: 30_000, interval: 250 }).toMatchObject({ state: 'ready' });
  expect(await ask('back again')).toBe('echo: back again');
}, 120_000);
