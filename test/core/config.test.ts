import { resolve } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { baseChildEnvironment, configShape, readConfig } from '../../core/config.ts';

describe('the configuration', () => {
  beforeEach(() => {
    for (const name of Object.keys(configShape)) vi.stubEnv(name, undefined);
  });

  it('has defaults that keep everything on this machine', () => {
    expect(readConfig()).toMatchObject({
      FLATLANE_DATA: resolve('.flatlane'),
      FLATLANE_HOST: '127.0.0.1',
      FLATLANE_PORT: 8484,
      FLATLANE_ADMIN_HOST: '127.0.0.1',
      FLATLANE_ADMIN_PORT: 8485,
      FLATLANE_INTERNAL_HOST: '127.0.0.1',
      FLATLANE_INTERNAL_PORT: 0,
      FLATLANE_LOG_LEVEL: 'info',
      FLATLANE_CODEX_ENV: {},
      FLATLANE_CODEX_CONFIG: [],
      MONGODB_DATABASE: 'flatlane',
      TEMPORAL_NAMESPACE: 'default',
    });
  });

  it('is read from the environment, and overridden by what is passed', () => {
    vi.stubEnv('FLATLANE_PORT', '9000');
    vi.stubEnv('TEMPORAL_TLS', 'false');
    vi.stubEnv('FLATLANE_CODEX_ENV', '{"CODEX_CA_CERTIFICATE":"/ca.pem"}');
    const settings = ['openai_base_url="x=1"', 'features.enable_request_compression=false'];
    vi.stubEnv('FLATLANE_CODEX_CONFIG', JSON.stringify(settings));
    expect(readConfig()).toMatchObject({
      FLATLANE_PORT: 9000,
      TEMPORAL_TLS: false,
      FLATLANE_CODEX_ENV: { CODEX_CA_CERTIFICATE: '/ca.pem' },
      FLATLANE_CODEX_CONFIG: settings,
    });
    expect(readConfig({ FLATLANE_PORT: '9001' }).FLATLANE_PORT).toBe(9001);
  });

  it('lists all its problems at once, by name', () => {
    const read = (): unknown =>
      readConfig({
        FLATLANE_PORT: '70000',
        FLATLANE_ADMIN_PORT: 'x',
        FLATLANE_LOG_LEVEL: 'loud',
        FLATLANE_INTERNAL_URL: 'nowhere',
        FLATLANE_CODEX_ENV: '{"A":1}',
        FLATLANE_CODEX_CONFIG: '{',
        TEMPORAL_TLS: 'perhaps',
      });
    expect(read).toThrow('The configuration has 7 problem(s):');
    for (const name of [
      'FLATLANE_PORT',
      'FLATLANE_ADMIN_PORT',
      'FLATLANE_LOG_LEVEL',
      'FLATLANE_INTERNAL_URL',
      'FLATLANE_CODEX_ENV: must be a JSON object of strings',
      'FLATLANE_CODEX_CONFIG: must be a JSON array of strings',
      'TEMPORAL_TLS',
    ]) {
      expect(read).toThrow(`\n  ${name}`);
    }
  });

  it.each([
    'features.shell_tool=true',
    'developer_instructions="You are Bob"',
    'include_environment_context=true',
    'model_provider="mine"',
    'features={shell_tool=true}',
    '"openai_base_url"="x"',
    'openai_base_url',
    '=1',
  ])('does not take %s as a setting of the Codex CLI, and says which ones it takes', (setting) => {
    const given = JSON.stringify(['chatgpt_base_url="x"', setting]);
    expect(() => readConfig({ FLATLANE_CODEX_CONFIG: given })).toThrow(
      /FLATLANE_CODEX_CONFIG: may hold settings key=value with these keys only: chatgpt_base_url, openai_base_url, /,
    );
  });

  it('is frozen', () => {
    expect(Object.isFrozen(readConfig())).toBe(true);
  });

  it('describes every setting', () => {
    const silent = Object.entries(configShape).filter(([, setting]) => (setting.description ?? '') === '');
    expect(silent.map(([name]) => name)).toEqual([]);
  });
});

describe('the environment of child processes', () => {
  it('has what a program needs, and nothing that it was not named to have', () => {
    vi.stubEnv('PATH', '/bin');
    vi.stubEnv('LANG', undefined);
    vi.stubEnv('FLATLANE_MASTER_KEY', 'secret');
    vi.stubEnv('OPENAI_API_KEY', 'secret');
    vi.stubEnv('TEMPORAL_API_KEY', 'secret');
    vi.stubEnv('NODE_OPTIONS', '--inspect');
    const environment = baseChildEnvironment();
    expect(environment['PATH']).toBe('/bin');
    expect(Object.keys(environment)).not.toContain('LANG');
    expect(Object.values(environment)).not.toContain('secret');
    expect(Object.keys(environment)).not.toContain('NODE_OPTIONS');
  });
});
