import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { CodexBinary } from './codex-binary.ts';

/**
 * The settings under which a turn of the Codex CLI is a bare model call: nothing of the host, no tool of the CLI's own and no
 * text but the caller's reaches the model. `self-test.ts` proves it at each start.
 */

/** Everything that adds a tool, a prompt or an action on the host. */
const FEATURES_OFF = [
  'apps',
  'plugins',
  'shell_tool',
  'unified_exec',
  'multi_agent',
  'goals',
  'image_generation',
  'tool_suggest',
  'skill_search',
  'hooks',
  'shell_snapshot',
  'code_mode_host',
  'remote_plugin',
  'sleep_tool',
  'workspace_dependencies',
  'auth_elicitation',
  'view_image',
  'apply_patch_freeform',
] as const;

/** The values of `-c` for every process that serves callers. */
export const BARE_MODEL_SETTINGS: readonly string[] = [
  ...FEATURES_OFF.map((feature) => `features.${feature}=false`),
  'web_search="disabled"',
  'skills.include_instructions=false',
  'skills.bundled.enabled=false',
  'include_permissions_instructions=false',
  'include_environment_context=false',
  'include_apps_instructions=false',
  'include_collaboration_mode_instructions=false',
  'project_doc_max_bytes=0',
  'tools.experimental_request_user_input.enabled=false',
  'analytics.enabled=false',
  // Without it (and thread/unsubscribe) every thread stays loaded: 5.4 GB after 3,000 completions.
  'thread_unload_delay_secs=0',
];

/** The CLI's arguments: settings as repeated `-c`. */
export function appServerArguments(settings: readonly string[]): string[] {
  return ['app-server', ...settings.flatMap((setting) => ['-c', setting])];
}

/** The setting that makes the CLI use an edited catalogue. JSON strings are valid TOML strings. */
export function catalogueSetting(file: string): string {
  return `model_catalog_json=${JSON.stringify(file)}`;
}

/**
 * All settings of a process that serves callers, in the order in which they hold: the last one wins. The self-test must start
 * its process with the same, or it proves nothing about the others.
 * @param extra what the owner has set beside
 * @param bare other than the plan lanes' own only where a test wants to see the self-test fail
 */
export function processSettings(
  catalogue: CatalogueFile,
  extra: readonly string[],
  bare: readonly string[] = BARE_MODEL_SETTINGS,
): readonly string[] {
  return [...bare, catalogueSetting(catalogue.file), ...extra];
}

/** More than any model takes: the upstream decides what is too long, not the CLI. */
const CONTEXT_WINDOW_TOKENS = 100_000_000;

/** Above the largest body that the API takes, so that no tool output is ever cut. */
const TRUNCATION_LIMIT_BYTES = 256 * 1024 * 1024;

const catalogueSchema = z.looseObject({ models: z.array(z.looseObject({ slug: z.string() })).min(1) });
type Catalogue = z.infer<typeof catalogueSchema>;

const REMOVED_FIELDS = [
  'tool_mode',
  'multi_agent_version',
  'multi_agent_reasoning_effort',
  'node_repl_auto_review_required',
  // Templates of the CLI's own prompts: without baseInstructions they would come in through the back door.
  'model_messages',
] as const;

/**
 * Takes the CLI's own prompts, tools and limits out of a model catalogue. Pure.
 * The limits matter as much as the tools (measured): with the catalogue's own ones a prompt of 1,000,000 characters was
 * silently replaced by a summary that the CLI had the model make of it, and a tool's output was cut at 10,000 tokens.
 */
export function bareCatalogue(catalogue: Catalogue): Catalogue {
  const models = catalogue.models.map((model) => {
    const kept = Object.entries(model).filter(([name]) => !(REMOVED_FIELDS as readonly string[]).includes(name));
    return {
      ...Object.fromEntries(kept),
      slug: model.slug,
      base_instructions: '',
      apply_patch_tool_type: null,
      experimental_supported_tools: [],
      supports_search_tool: false,
      // With it every image is sent with the detail that costs most, whatever was asked for (measured).
      supports_image_detail_original: false,
      truncation_policy: { mode: 'bytes', limit: TRUNCATION_LIMIT_BYTES },
      context_window: CONTEXT_WINDOW_TOKENS,
      max_context_window: CONTEXT_WINDOW_TOKENS,
      auto_compact_token_limit: CONTEXT_WINDOW_TOKENS,
      // The API's default; the catalogue's is the one that suits a terminal.
      ...('default_verbosity' in model ? { default_verbosity: 'medium' } : {}),
    };
  });
  return { ...catalogue, models };
}

/** The catalogue that a process is started with. */
export interface CatalogueFile {
  readonly file: string;
  readonly models: readonly { readonly slug: string; readonly lite: boolean }[];
}

async function builtInCatalogue(options: {
  readonly binary: CodexBinary;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<string> {
  const home = await mkdtemp(join(options.folder, 'catalogue-'));
  try {
    const { stdout } = await promisify(execFile)(options.binary.path, ['debug', 'models'], {
      env: { ...options.environment, CODEX_HOME: home, HOME: home },
      cwd: home,
      timeout: CATALOGUE_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** `debug models` answers in 100 ms; with a slow disk, in seconds. */
const CATALOGUE_TIMEOUT_MS = 30_000;

/**
 * Writes the edited model catalogue of this CLI version into a folder. What is edited is the catalogue that the CLI was built
 * with: it is asked with a throw-away home, because with a signed-in one it goes to the network first (3.4 s, measured).
 * @throws Error if the CLI does not print a catalogue.
 */
export async function writeBareCatalogue(options: {
  readonly binary: CodexBinary;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}): Promise<CatalogueFile> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const catalogue = bareCatalogue(catalogueSchema.parse(JSON.parse(await builtInCatalogue(options))));
  const file = join(options.folder, `models-${options.binary.version}.json`);
  // Written beside and renamed: another account's process may be reading it at this moment.
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(draft, JSON.stringify(catalogue), { mode: 0o600 });
  await rename(draft, file);
  return {
    file,
    models: catalogue.models.map((model) => ({ slug: model.slug, lite: model['use_responses_lite'] === true })),
  };
}
