import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgram } from '../../cli/program.ts';
import { failed } from './admin-fake.ts';
import { startCliBench, type CliBench } from './cli-bench.ts';
import { SILENT_IO } from '../support/silent-io.ts';

let bench: CliBench;

beforeEach(async () => {
  bench = await startCliBench();
});

afterEach(() => bench.close());

describe('flatlane, when something is wrong', () => {
  it('passes on what the admin API says', async () => {
    bench.admin.on('GET /admin/keys', failed(409, 'Not now.\u001b[2J'));
    expect(await bench.flatlane('keys')).toBe(1);
    expect(bench.err).toEqual(['Not now.?[2J']);
  });

  it('says what to do about a wrong key', async () => {
    expect(await bench.flatlane('--admin-key', 'sk-fl-other', 'keys')).toBe(1);
    expect(bench.err).toHaveLength(1);
    expect(bench.err[0]).toContain('FLATLANE_ADMIN_KEY');
    expect(bench.err[0]).toContain('npm start -- --new-admin-key');
  });

  it('says what to do when nothing answers', async () => {
    await bench.admin.close();
    expect(await bench.flatlane('keys')).toBe(1);
    expect(bench.err).toEqual([
      `Nothing answers at ${bench.admin.url}. Start flatlane, or say where it is with --admin-url.`,
    ]);
  });

  it('says so when something else answers', async () => {
    bench.admin.on('GET /admin/keys', { hello: 'world' });
    expect(await bench.flatlane('keys')).toBe(1);
    expect(bench.err[0]).toContain('no admin API that this version understands');
  });

  it('refuses an address that is none', async () => {
    expect(await bench.flatlane('--admin-url', '127.0.0.1:8485', 'keys')).toBe(1);
    expect(bench.err[0]).toContain('http://127.0.0.1:8485');
  });

  it('ends well after help', async () => {
    expect(await bench.flatlane('lanes', 'add-key', '--help')).toBe(0);
    expect(bench.out.join('\n')).toContain('--key-env <name>');
  });

  it('says in its help how the price of a service tier is set', async () => {
    expect(await bench.flatlane('lanes', 'add-key', '--help')).toBe(0);
    expect(bench.out.join(' ').replaceAll(/\s+/g, ' ')).toContain('model@tier=in/out for a service tier, as priority');
  });
});

describe('the admin key', () => {
  it('is asked for where it is not given', async () => {
    vi.stubEnv('FLATLANE_ADMIN_KEY', undefined);
    const attempt = createProgram(SILENT_IO).parseAsync(['--admin-url', bench.admin.url, 'lanes'], { from: 'user' });
    await expect(attempt).rejects.toThrow(/There is no admin key\. Set FLATLANE_ADMIN_KEY/);
    expect(bench.admin.seen).toHaveLength(0);
  });
});
