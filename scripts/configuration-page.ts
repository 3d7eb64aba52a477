import { z } from 'zod';
import { configShape } from '../core/config.ts';

/** docs/configuration.md, made from the schema that reads the configuration. A test compares the two. */
export function configurationPage(): string {
  const rows = Object.entries(configShape).map(([name, schema]) => {
    const { description = '' } = z.globalRegistry.get(schema) ?? {};
    const empty = schema.safeParse(undefined);
    const value =
      empty.success && empty.data !== undefined ? `\`${asText(empty.data).replace(`${process.cwd()}/`, '')}\`` : '';
    return `| \`${name}\` | ${value} | ${description} |`;
  });
  return [
    '# Configuration',
    '',
    'Every setting is an environment variable, read once at the start; all problems are told at once. This page is made from',
    '`core/config.ts` by `npm run build && node dist/scripts/write-configuration.js`.',
    '',
    '| variable | by default | what it does |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
