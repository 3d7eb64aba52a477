import { writeFile } from 'node:fs/promises';
import { configurationPage } from './configuration-page.ts';

await writeFile('docs/configuration.md', configurationPage());
