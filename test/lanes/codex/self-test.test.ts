import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { BARE_MODEL_SETTINGS } from '../../../lanes/codex/bare-model.ts';
import { runSelfTest } from '../../../lanes/codex/self-test.ts';

const log = createLogger('silent', 'test');
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'flatlane-self-test-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

const without = (...left: string[]): string[] => BARE_MODEL_SETTINGS.filter((setting) => !left.includes(setting));

describe('the self-test of the plan lanes', () => {
  it('passes with the settings that serve callers, and leaves nothing behind', async () => {
    expect(await runSelfTest({ dataDir, log })).toEqual({ ok: true });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it.each(
    BARE_MODEL_SETTINGS.map((s)=>[s])
  )('fails without %s', async (setting) => {
    const result = await runSelfTest({ dataDir, log, settings: without(setting) });
    console.log(setting, JSON.stringify(result));
  });
});
