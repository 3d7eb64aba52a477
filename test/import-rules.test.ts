import { beforeAll, describe, expect, it } from 'vitest';
import { lintPlanted } from './setup/planted-tree.ts';

/** Every place that can be imported, with a file in it. */
const TARGETS = {
  'core/contracts': 'core/contracts/ids.ts',
  'core/wire': 'core/wire/chat-answer.ts',
  'core/errors': 'core/errors.ts',
  core: 'core/log.ts',
  store: 'store/database.ts',
  lanes: 'lanes/codex/lane.ts',
  activities: 'activities/create-activities.ts',
  workflows: 'workflows/completion.ts',
  workers: 'workers/compose.ts',
  api: 'api/compose.ts',
  web: 'web/pages.ts',
  cli: 'cli/login.ts',
  stack: 'stack/start-stack.ts',
  scripts: 'scripts/start.ts',
  'test/standins': 'test/standins/openai.ts',
  test: 'test/setup/tree.ts',
} as const;
type Target = keyof typeof TARGETS;

const ALL = Object.keys(TARGETS) as Target[];
const ALL_OF_CORE = ['core', 'core/contracts', 'core/wire', 'core/errors'] as const satisfies Target[];
const NOT_TEST = ALL.filter((target) => !target.startsWith('test'));

interface Rules {
  /** A folder, or the beginning of a file's name in it. */
  readonly from: string;
  readonly values: readonly Target[];
  /** What may be imported as types, besides the values. */
  readonly types?: readonly Target[];
}

/** Who may import whom, written down a second time: the lint settings must say the same. */
const IMPORT_RULES: readonly Rules[] = [
  { from: 'core/contracts/', values: ['core/contracts'] },
  { from: 'core/', values: ALL_OF_CORE },
  { from: 'store/', values: [...ALL_OF_CORE, 'store'] },
  { from: 'lanes/codex/', values: [...ALL_OF_CORE, 'lanes'] },
  { from: 'activities/', values: [...ALL_OF_CORE, 'store', 'lanes', 'activities'] },
  { from: 'workflows/', values: ['core/contracts', 'workflows'], types: ['activities'] },
  { from: 'workers/', values: [...ALL_OF_CORE, 'store', 'lanes', 'activities', 'workers'] },
  { from: 'api/routes/', values: [...ALL_OF_CORE, 'store', 'lanes', 'web', 'api'], types: ['workflows'] },
  { from: 'web/', values: ['core/contracts', 'core/wire', 'web'], types: ['core/errors'] },
  { from: 'cli/', values: ['core/contracts', 'core/wire', 'cli'], types: ['core/errors'] },
  { from: 'stack/mongodb/', values: [...ALL_OF_CORE, 'stack'] },
  { from: 'scripts/', values: NOT_TEST },
  { from: 'scripts/demo-', values: [...NOT_TEST, 'test/standins'] },
  { from: 'scripts/bench/', values: [...NOT_TEST, 'test/standins'] },
  { from: 'test/api/', values: ALL },
];

/** Folders that are loaded into the workflow sandbox: nothing of Node may be imported there. */
const SANDBOXED = ['core/contracts/', 'workflows/'];
const NOT_SANDBOXED = IMPORT_RULES.map(({ from }) => from).filter((from) => !SANDBOXED.includes(from));

/** The folders in which a package may be imported. Everywhere else it is refused. */
const PACKAGE_RULES: readonly { readonly name: string; readonly folders: readonly string[] }[] = [
  { name: 'mongodb', folders: ['store/', 'test/api/'] },
  { name: 'mongodb-memory-server-core', folders: ['stack/mongodb/', 'test/api/'] },
  { name: '@temporalio/workflow', folders: ['workflows/', 'test/api/'] },
  { name: '@temporalio/testing', folders: ['stack/mongodb/', 'test/api/'] },
  { name: 'fastify', folders: ['api/routes/', 'scripts/', 'scripts/demo-', 'scripts/bench/', 'test/api/'] },
  { name: 'node:process', folders: ['test/api/'] },
  { name: 'node:fs', folders: NOT_SANDBOXED },
  { name: 'zod', folders: NOT_SANDBOXED },
];

const RESTRICTED = 'eslint(no-restricted-imports)';
const planted = new Map<string, string>();

/** The specifier by which one file imports another. */
function relative(fromFile: string, target: string): string {
  const folder = fromFile.slice(0, fromFile.lastIndexOf('/') + 1);
  if (target.startsWith(folder)) return `./${target.slice(folder.length)}`;
  return '../'.repeat(folder.split('/').length - 1) + target;
}

interface PlantedImport {
  readonly path: string;
  /** What is imported, in words. */
  readonly what: string;
  readonly allowed: boolean;
}

function plantImport(from: string, what: string, statement: (path: string) => string, allowed: boolean): PlantedImport {
  const path = `${from}planted-${what.replaceAll(/[^a-z]+/g, '-')}.ts`;
  planted.set(path, statement(path));
  return { path, what, allowed };
}

const folderCases = IMPORT_RULES.map(({ from, values, types = [] }) => ({
  from,
  imports: ALL.flatMap((target) => [
    plantImport(
      from,
      `${target} as value`,
      (path) => `export { planted } from '${relative(path, TARGETS[target])}';\n`,
      values.includes(target),
    ),
    plantImport(
      from,
      `${target} as type`,
      (path) => `export type { planted } from '${relative(path, TARGETS[target])}';\n`,
      values.includes(target) || types.includes(target),
    ),
  ]),
}));

const packageCases = PACKAGE_RULES.map(({ name, folders }) => ({
  name,
  imports: IMPORT_RULES.map(({ from }) =>
    plantImport(
      from,
      `${from} importing ${name}`,
      () => `export { planted } from '${name}';\n`,
      folders.includes(from),
    ),
  ),
}));

/** One file that breaks a rule of the house, and the only rule that it breaks; null where it is right to do so there. */
const HOUSE_RULES: readonly {
  readonly title: string;
  readonly path: string;
  readonly text: string;
  readonly code: string | null;
}[] = [
  {
    title: 'console outside cli and scripts',
    path: 'api/planted-console.ts',
    text: `export const say = (): void => console.log('x');\n`,
    code: 'eslint(no-console)',
  },
  {
    title: 'console in cli',
    path: 'cli/planted-console.ts',
    text: `export const say = (): void => console.log('x');\n`,
    code: null,
  },
  {
    title: 'the environment outside core/config.ts',
    path: 'stack/planted-environment.ts',
    text: `export const path = process.env['PATH'];\n`,
    code: 'node(no-process-env)',
  },
  {
    title: 'the environment in core/config.ts',
    path: 'core/config.ts',
    text: `export const path = process.env['PATH'];\n`,
    code: null,
  },
  {
    title: 'a forbidden import behind a dynamic import',
    path: 'lanes/planted-dynamic.ts',
    text: `export const load = async (): Promise<unknown> => import('../store/database.ts');\n`,
    code: RESTRICTED,
  },
  {
    title: 'a forbidden import behind a type',
    path: 'api/planted-import-type.ts',
    text: `export type Database = import('mongodb').Db;\n`,
    code: 'typescript(consistent-type-imports)',
  },
  {
    title: 'an import of an entry point',
    path: 'api/planted-entry.ts',
    text: `export { planted } from './main.ts';\n`,
    code: RESTRICTED,
  },
  {
    title: 'a promise that nobody waits for (needs types)',
    path: 'store/planted-floating.ts',
    text: `const write = async (): Promise<void> => {};\nexport const save = (): void => {\n  write();\n};\n`,
    code: 'typescript(no-floating-promises)',
  },
  {
    title: 'a switch that forgets a case (needs types)',
    path: 'lanes/planted-switch.ts',
    text: `export function word(state: 'on' | 'off'): string {\n  switch (state) {\n    case 'on':\n      return 'x';\n  }\n  return '';\n}\n`,
    code: 'typescript(switch-exhaustiveness-check)',
  },
  {
    title: 'any',
    path: 'core/planted-any.ts',
    text: `export const loose = (value: any): unknown => value;\n`,
    code: 'typescript(no-explicit-any)',
  },
  {
    title: 'a default export',
    path: 'core/planted-default.ts',
    text: `const value = 1;\nexport default value;\n`,
    code: 'import(no-default-export)',
  },
  {
    title: 'a file of more than 300 lines',
    path: 'core/planted-length.ts',
    text: Array.from({ length: 301 }, (_, index) => `export const line${index} = ${index};\n`).join(''),
    code: 'eslint(max-lines)',
  },
  {
    title: 'a file of 300 lines',
    path: 'core/planted-full.ts',
    text: Array.from({ length: 300 }, (_, index) => `export const line${index} = ${index};\n`).join(''),
    code: null,
  },
  {
    title: 'a file name that is not in kebab case',
    path: 'core/plantedName.ts',
    text: `export const value = 1;\n`,
    code: 'unicorn(filename-case)',
  },
  {
    title: 'a builtin of Node without its prefix',
    path: 'core/planted-prefix.ts',
    text: `export { join } from 'path';\n`,
    code: 'unicorn(prefer-node-protocol)',
  },
  {
    title: 'two files that import each other',
    path: 'core/planted-cycle.ts',
    text: `import { other } from './planted-cycle-other.ts';\nexport const one = (): unknown => other;\n`,
    code: 'import(no-cycle)',
  },
];

describe('the lint settings', () => {
  let broken: Map<string, string[]>;

  beforeAll(async () => {
    for (const { path, text } of HOUSE_RULES) planted.set(path, text);
    planted.set(
      'core/planted-cycle-other.ts',
      `import { one } from './planted-cycle.ts';\nexport const other = (): unknown => one;\n`,
    );
    broken = await lintPlanted(planted);
  });

  /** What is refused of these, in words; a rule other than the import rule shows as itself. */
  const refused = (imports: readonly PlantedImport[]): string[] =>
    imports.flatMap(({ path, what }) =>
      broken.get(path)!.map((code) => (code === RESTRICTED ? what : `${what}: ${code}`)),
    );
  const mustBeRefused = (imports: readonly PlantedImport[]): string[] =>
    imports.filter(({ allowed }) => !allowed).map(({ what }) => what);

  it.each(folderCases)('let $from import what it may and nothing else', ({ imports }) => {
    expect(refused(imports)).toEqual(mustBeRefused(imports));
  });

  it.each(packageCases)('let $name be imported where it belongs and nowhere else', ({ imports }) => {
    expect(refused(imports)).toEqual(mustBeRefused(imports));
  });

  it.each(HOUSE_RULES.filter(({ code }) => code !== null))('refuse $title', ({ path, code }) => {
    expect(broken.get(path)).toEqual([code]);
  });

  it.each(HOUSE_RULES.filter(({ code }) => code === null))('allow $title', ({ path }) => {
    expect(broken.get(path)).toEqual([]);
  });
});
