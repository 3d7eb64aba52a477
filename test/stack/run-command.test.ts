import { homedir } from 'node:os';
import { expect, it, vi } from 'vitest';
import { runCommand } from '../../stack/run-command.ts';

const SAY = "for (const name of ['HOME', 'GOWORK', 'XDG_CACHE_HOME']) console.log(name, process.env[name])";

const environmentOf = (): Promise<string> => runCommand({ file: process.execPath, args: ['-e', SAY], limitMs: 20_000 });

it('gives a build a home where there is none, no workspace of Go, and no cache folder that Go would refuse', async () => {
  vi.stubEnv('HOME', undefined);
  vi.stubEnv('XDG_CACHE_HOME', 'relative');
  vi.stubEnv('GOWORK', '/somewhere/go.work');
  expect(await environmentOf()).toBe(`HOME ${homedir()}\nGOWORK off\nXDG_CACHE_HOME undefined`);
  vi.stubEnv('HOME', '/home/somebody');
  vi.stubEnv('XDG_CACHE_HOME', '/caches');
  expect(await environmentOf()).toBe('HOME /home/somebody\nGOWORK off\nXDG_CACHE_HOME /caches');
});

it('hands on what a program says while it runs', async () => {
  const lines: string[] = [];
  await runCommand({
    file: process.execPath,
    args: ['-e', "console.error('one'); console.log('two')"],
    limitMs: 20_000,
    onLine: (line) => lines.push(line),
  });
  expect(lines.toSorted()).toEqual(['one', 'two']);
});
