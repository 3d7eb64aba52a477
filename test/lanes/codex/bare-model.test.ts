import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  appServerArguments,
  bareCatalogue,
  catalogueSetting,
  writeBareCatalogue,
} from '../../../lanes/codex/bare-model.ts';
import { LITE_MODELS } from '../../../lanes/codex/lite-models.ts';
import { findCodexBinary, PINNED_CODEX_VERSION } from '../../../lanes/codex/codex-binary.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flatlane-catalogue-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('bareCatalogue', () => {
  it("takes the CLI's prompts, tools and limits out, and keeps the rest", () => {
    const model = {
      slug: 'm',
      display_name: 'M',
      supported_reasoning_levels: [{ effort: 'low' }],
      default_verbosity: 'low',
      base_instructions: 'You are an agent.',
      model_messages: { instructions_template: 'x' },
      apply_patch_tool_type: 'freeform',
      experimental_supported_tools: ['clock'],
      supports_search_tool: true,
      supports_image_detail_original: true,
      tool_mode: 'code_mode_only',
      multi_agent_version: 'v2',
      truncation_policy: { mode: 'tokens', limit: 10_000 },
      context_window: 272_000,
    };
    const [bare] = bareCatalogue({ models: [model] }).models;
    expect(bare).toEqual({
      slug: 'm',
      display_name: 'M',
      supported_reasoning_levels: [{ effort: 'low' }],
      default_verbosity: 'medium',
      base_instructions: '',
      apply_patch_tool_type: null,
      experimental_supported_tools: [],
      supports_search_tool: false,
      supports_image_detail_original: false,
      truncation_policy: { mode: 'bytes', limit: 268_435_456 },
      context_window: 100_000_000,
      max_context_window: 100_000_000,
      auto_compact_token_limit: 100_000_000,
    });
  });
});

describe('writeBareCatalogue', () => {
  it('writes the edited catalogue of the pinned version, and nothing else', async () => {
    const binary = await findCodexBinary();
    const { file, models } = await writeBareCatalogue({ binary, folder, environment: {} });
    expect(await readdir(folder)).toEqual([`models-${PINNED_CODEX_VERSION}.json`]);
    const written = JSON.parse(await readFile(file, 'utf8')) as {
      models: { slug: string; base_instructions: string }[];
    };
    expect(written.models.map((model) => model.slug)).toEqual(models.map((model) => model.slug));
    expect(written.models.every((model) => model.base_instructions === '')).toBe(true);
    expect(models.length).toBeGreaterThan(0);
  });
});

describe('LITE_MODELS', () => {
  it('names the lite models of the pinned version', async () => {
    const binary = await findCodexBinary();
    const { models } = await writeBareCatalogue({ binary, folder, environment: {} });
    expect([...LITE_MODELS].sort()).toEqual(models.flatMap(({ slug, lite }) => (lite ? [slug] : [])).sort());
  });
});

describe('appServerArguments', () => {
  it('gives each setting its own flag, paths quoted', () => {
    expect(appServerArguments(['a=1', catalogueSetting('/x y/"m".json')])).toEqual([
      'app-server',
      '-c',
      'a=1',
      '-c',
      'model_catalog_json="/x y/\\"m\\".json"',
    ]);
  });
});
