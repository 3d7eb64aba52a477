import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configurationPage } from '../../scripts/configuration-page.ts';
import { ROOT } from '../support/spawned-node.ts';

it('docs/configuration.md says what the schema says', async () => {
  expect(await readFile(join(ROOT, 'docs', 'configuration.md'), 'utf8')).toBe(configurationPage());
});
