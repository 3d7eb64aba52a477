import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createToolCache, toolCacheFolder } from '../../stack/tool-cache.ts';

const run = promisify(execFile);

/** OpenAI's Python client that the tests use. */
const OPENAI_VERSION = '3.54.0';
const INSTALL_LIMIT_MS = 180_000;

/**
 * The folder with OpenAI's client for Python, to be the PYTHONPATH of a script; made once in the tool cache.
 * @throws Error that says what to install where there is no Python 3.9 or newer with `venv`.
 */
export async function openaiForPython(onProgress: (line: string) => void): Promise<string> {
  const bin = process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python'];
  const cache = createToolCache(toolCacheFolder(), onProgress);
  const folder = await cache.ensure({
    key: `python-openai-${OPENAI_VERSION}`,
    title: `Installing OpenAI's Python client ${OPENAI_VERSION} for the tests`,
    hint: 'once, from PyPI',
    build: async (target) => {
      // The folder is moved when it is whole, so what is used of it must not know its path, as a venv does.
      const packages = join(target, 'packages');
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', packages];
      const venv = join(target, 'pip');
      await run('python3', ['-m', 'venv', venv]).catch((cause: unknown) => {
        throw new Error('the tests need python3 with venv (Debian: apt-get install python3 python3-venv)', { cause });
      });
      await run(join(venv, ...bin), [...pip, `openai==${OPENAI_VERSION}`], { timeout: INSTALL_LIMIT_MS });
    },
  });
  return join(folder, 'packages');
}
