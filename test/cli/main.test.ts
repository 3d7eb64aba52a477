import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

describe('the command line as a process', () => {
  it('ends quietly when nobody reads on, as behind `| head`', async () => {
    const child = spawn(process.execPath, ['dist/cli/main.js', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect([said, code]).toEqual(['', 141]);
  });
});
