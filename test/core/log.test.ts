import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

/** What the process says, one call a line; each entry is found again by its message. */
const SCRIPT = `
import { createLogger } from './core/log.js';
const log = createLogger('info', 'test');
log.info({ laneId: 'abc' }, 'plain');
log.debug('below the level');
log.info({ apiKey: 'hidden-1', authorization: 'hidden-2', body: 'hidden-3', headers: { cookie: 'hidden-4' } }, 'by name');
log.info({ lane: { apiKey: 'hidden-5', authorization: 'hidden-6', body: 'hidden-7', headers: 'hidden-8' } }, 'one below');
log.info({ note: 'uses sk-proj-hidden9hidden9' }, 'by shape: Bearer hidden10hidden10');
log.error({ err: new Error('refused eyJhidden11hidden11.hidden11.hidden11') }, 'failed');
console.log('standard output');
`;

interface Entry {
  readonly msg: string;
  readonly [field: string]: unknown;
}

describe('the logger of a process', () => {
  let folder: string;
  let stdout: string;
  let stderr: string;
  let entries: Entry[];

  // A process of its own: what matters is what reaches its standard error.
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'flatlane-log-'));
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        compilerOptions: { rootDir: ROOT, outDir: folder, typeRoots: [join(ROOT, 'node_modules', '@types')] },
        files: [join(ROOT, 'core', 'log.ts')],
        include: [],
      }),
    );
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'say.js'), SCRIPT);
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir');
    await run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', folder]);
    ({ stdout, stderr } = await run(process.execPath, [join(folder, 'say.js')]));
    entries = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Entry);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const entry = (message: string): Entry => {
    const found = entries.find(({ msg }) => msg.startsWith(message));
    if (found === undefined) throw new Error(`No entry says "${message}": ${stderr}`);
    return found;
  };

  it('writes one JSON line per entry to standard error, and nothing to standard output', () => {
    expect(entry('plain')).toMatchObject({ level: 30, name: 'test', laneId: 'abc' });
    expect(entries).toHaveLength(5);
    expect(stdout).toBe('standard output\n');
  });

  it('leaves out what is below its level', () => {
    expect(stderr).not.toContain('below the level');
  });

  it('removes secrets by the name of their field, at the top and one below', () => {
    const removed = '[removed]';
    const fields = { apiKey: removed, authorization: removed, body: removed, headers: removed };
    expect(entry('by name')).toMatchObject(fields);
    expect(entry('one below')['lane']).toEqual(fields);
  });

  it('removes secrets by their shape, in fields, messages and errors', () => {
    expect(entry('by shape')).toMatchObject({ note: 'uses sk-[removed]', msg: 'by shape: Bearer [removed]' });
    expect(entry('failed')['err']).toMatchObject({ message: 'refused [token removed]' });
  });

  it('lets no secret through anywhere', () => {
    expect(stderr).not.toContain('hidden');
  });
});
