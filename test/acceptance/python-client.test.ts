import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../support/gateway.ts';
import { openaiForPython } from '../support/python.ts';

const MODEL = 'gpt-5.5';
const SET_UP_MS = 240_000;

describe("OpenAI's Python client, unchanged", () => {
  let gateway: Gateway;
  let packages: string;

  beforeAll(async () => {
    packages = await openaiForPython((line) => process.stdout.write(`${line}\n`));
    gateway = await startGateway({ home: {} });
    const { admin, chatgpt } = gateway;
    await admin.addAccount('home', (code) => chatgpt.approve(code, 'home'));
  }, SET_UP_MS);
  afterAll(() => gateway?.stop());

  it('runs the whole life of a batch', async () => {
    const script = join(import.meta.dirname, 'life_of_a_batch.py');
    const key = await gateway.admin.createKey('python', true);
    const { stdout } = await promisify(execFile)('python3', [script, `${gateway.url}/v1`, MODEL], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PYTHONPATH: packages, OPENAI_API_KEY: key },
      timeout: 50_000,
    });
    const seen = JSON.parse(stdout) as { states: string[]; customIds: string[]; cancelled: string };
    expect(seen).toMatchObject({
      counts: { total: 30, completed: 30, failed: 0 },
      metadata: { team: 'python' },
      answers: 30,
      cancelOfFinished: expect.stringContaining("Cannot cancel a batch with status 'completed'."),
      listed: true,
      streamed: true,
      unknown: 404,
      deleted: true,
    });
    expect(seen.states[0]).toBe('validating');
    expect(seen.states.at(-1)).toBe('completed');
    expect(seen.customIds).toEqual(Array.from({ length: 30 }, (_, index) => `row-${index + 1}`));
    expect(['cancelling', 'completed']).toContain(seen.cancelled);
  });
});
