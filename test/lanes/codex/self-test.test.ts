import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../../core/log.ts';
import { BARE_MODEL_SETTINGS } from '../../../lanes/codex/bare-model.ts';
import { runSelfTest } from '../../../lanes/codex/self-test.ts';
import { keptLog } from '../../support/planted.ts';

const log = createLogger('silent', 'test');
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'flatlane-self-test-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true, force: true });
});

describe('the self-test of the plan lanes', () => {
  it('passes with the settings that serve callers, and leaves nothing behind', async () => {
    expect(await runSelfTest({ dataDir, log })).toEqual({ ok: true });
    expect(await readdir(dataDir)).toEqual([]);
  });

  it.each([
    ['features.shell_tool=false', 'other tools are advertised than were given: exec_command, write_stdin'],
    ['features.multi_agent=false', 'other tools are advertised than were given: '],
    ['features.goals=false', 'other tools are advertised than were given: '],
    ['features.view_image=false', 'other tools are advertised than were given: view_image'],
    ['web_search="disabled"', 'other tools are advertised than were given: web_search'],
    ['tools.experimental_request_user_input.enabled=false', 'other tools are advertised than were given: '],
    ['skills.include_instructions=false', 'the input is not what was given'],
    ['include_permissions_instructions=false', 'the input is not what was given'],
    ['include_environment_context=false', 'the input is not what was given'],
  ])('fails when %s is left out', async (setting, why) => {
    expect(BARE_MODEL_SETTINGS).toContain(setting);
    const settings = BARE_MODEL_SETTINGS.filter((kept) => kept !== setting);
    const result = await runSelfTest({ dataDir, log, settings });
    expect(result).toEqual({ ok: false, why: expect.stringContaining(why) as string });
  });

  it.each([
    ['features.shell_tool=true', 'other tools are advertised than were given: exec_command, write_stdin'],
    ['include_environment_context=true', 'the input is not what was given'],
    ['developer_instructions="You are Bob"', 'the input is not what was given'],
    ['web_search="live"', 'other tools are advertised than were given: web_search'],
  ])('fails when the accounts are given %s beside', async (setting, why) => {
    const result = await runSelfTest({ dataDir, log, codexConfig: [setting] });
    expect(result).toEqual({ ok: false, why: expect.stringContaining(why) as string });
  });

  it('passes with the settings that an owner may make, and with a proxy that does not know this machine', async () => {
    const codexConfig = [
      'chatgpt_base_url="https://127.0.0.1:1/backend-api"',
      'openai_base_url="https://127.0.0.1:1/backend-api/codex"',
      'features.enable_request_compression=false',
      'features.respect_system_proxy=true',
      'features.system_proxy_fallback=true',
    ];
    const codexEnvironment = { HTTP_PROXY: 'http://127.0.0.1:1', HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: '' };
    expect(await runSelfTest({ dataDir, log, codexConfig, codexEnvironment })).toEqual({ ok: true });
  });

  it('starts its process in the environment of the accounts', async () => {
    const isAskedFor = (line: string): boolean => line.includes(' INFO ') && !line.includes(' codex_otel.trace_safe: ');
    const heard = keptLog();
    await runSelfTest({ dataDir, log: heard.log, codexEnvironment: { RUST_LOG: 'info' } });
    expect(heard.lines.filter(isAskedFor)).not.toEqual([]);
    const quiet = keptLog();
    await runSelfTest({ dataDir, log: quiet.log });
    expect(quiet.lines.filter(isAskedFor)).toEqual([]);
  });

  it('fails when the CLI warns about its configuration', async () => {
    const result = await runSelfTest({
      dataDir,
      log,
      settings: [...BARE_MODEL_SETTINGS, 'features.no_such_feature=true'],
    });
    expect(result).toEqual({ ok: false, why: expect.stringContaining('no_such_feature') as string });
  });
});
