import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../../core/log.ts';
import { baseChildEnvironment } from '../../core/config.ts';
import { processSettings, writeBareCatalogue, type CatalogueFile } from './bare-model.ts';
import { findCodexBinary } from './codex-binary.ts';
import { startCodexProcess, type CodexProcess } from './codex-process.ts';
import { attacks, canaryFiles, mentionOf, type Canary } from './self-test-attacks.ts';
import { differenceFromExpected, leakInLaterRequests } from './self-test-checks.ts';
import { startSelfTestServer, type SelfTestServer } from './self-test-server.ts';
import { threadStartParams } from './thread-start.ts';
import { developerMessage, type ResponseItem } from './translate-messages.ts';
import type { DynamicTool } from './translate-tools.ts';

export type SelfTestResult = { readonly ok: true } | { readonly ok: false; readonly why: string };

/** A turn against loopback takes some 20 ms. */
const TURN_TIMEOUT_MS = 10_000;

const PROBE: DynamicTool = {
  type: 'function',
  name: 'flatlane_probe',
  description: 'A function of the caller.',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
};

/** The model is on this machine: no proxy of the owner's is on the way to it. Both spellings, for either may be read. */
const NO_PROXY = { NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1' } as const;

export interface SelfTestOptions {
  /** The throw-away home is made below it: like the real ones, outside of the system's temporary folder. */
  readonly dataDir: string;
  readonly log: Logger;
  /** What the accounts' processes get beside, in their environment and as `-c` settings: it is part of what is tested. */
  readonly codexEnvironment?: Readonly<Record<string, string>>;
  readonly codexConfig?: readonly string[];
  /** The bare-model settings under test; those of the plan lanes unless a test wants to see it fail. */
  readonly settings?: readonly string[];
}

/**
 * Proves at a worker's start that a turn is a bare model call: a process of the same binary with the same settings, a
 * throw-away home, and a model on loopback that tries to read a file, to run commands and to patch. Nothing may be advertised,
 * added, run or read. Takes about a second. Never throws.
 */
export async function runSelfTest(options: SelfTestOptions): Promise<SelfTestResult> {
  await mkdir(options.dataDir, { recursive: true });
  const folder = await mkdtemp(join(options.dataDir, 'self-test-'));
  const server = await startSelfTestServer();
  let process: CodexProcess | undefined;
  try {
    const started = await startUnderTest(folder, server, options);
    process = started.process;
    const why = await tryEverything(started, server);
    return why === undefined ? { ok: true } : { ok: false, why };
  } catch (cause) {
    options.log.warn({ err: cause }, 'the self-test of the plan lanes could not be run');
    return { ok: false, why: 'the self-test could not be run' };
  } finally {
    await process?.stop();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface UnderTest {
  readonly process: CodexProcess;
  readonly workDir: string;
  readonly canary: Canary;
  readonly catalogue: CatalogueFile;
  /** Waits for the end of the turn of a thread. */
  readonly turnDone: (threadId: string) => Promise<void>;
}

async function startUnderTest(
  folder: string,
  server: SelfTestServer,
  { log, codexEnvironment = {}, codexConfig = [], settings }: SelfTestOptions,
): Promise<UnderTest> {
  const homeDir = join(folder, 'home');
  const workDir = join(folder, 'empty');
  const environment = { ...baseChildEnvironment(), ...codexEnvironment, ...NO_PROXY };
  const { canary, files } = canaryFiles(homeDir, workDir, randomBytes(16).toString('hex'));
  const binary = await findCodexBinary();
  const catalogue = await writeBareCatalogue({ binary, folder, environment });
  const provider = `{name="self-test",base_url=${JSON.stringify(server.baseUrl)},wire_api="responses",requires_openai_auth=false}`;
  const done = new Map<string, () => void>();
  const process = await startCodexProcess({
    binary,
    homeDir,
    workDir,
    environment,
    log,
    settings: [
      ...processSettings(catalogue, codexConfig, settings),
      'model_provider="selftest"',
      `model_providers.selftest=${provider}`,
    ],
    onNotification: ({ method, params }) => {
      if (method === 'turn/completed') done.get(String(params['threadId']))?.();
    },
  });
  // After the start, which empties the working folder.
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text);
  }
  const turnDone = (threadId: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('A turn of the self-test did not end.')), TURN_TIMEOUT_MS);
      done.set(threadId, () => {
        clearTimeout(limit);
        resolve();
      });
    });
  return { process, workDir, canary, catalogue, turnDone };
}

/** Each way of telling a model its tools is tried: models of the lite kind get them as an item of the input. */
async function tryEverything(test: UnderTest, server: SelfTestServer): Promise<string | undefined> {
  for (const lite of [false, true]) {
    const model = test.catalogue.models.find((known) => known.lite === lite)?.slug;
    if (model === undefined) continue;
    for (const tools of [[], [PROBE]]) {
      const why = await attackOnce(test, server, model, tools);
      if (why !== undefined) return `${model}: ${why}`;
    }
  }
  // Last: warnings may come some time after the start.
  const warning = test.process.configWarnings()[0];
  return warning === undefined ? undefined : `the Codex CLI warns about its configuration: ${warning}`;
}

const threadStarted = z.object({ thread: z.object({ id: z.string() }) });

async function attackOnce(
  { process, workDir, canary, turnDone }: UnderTest,
  server: SelfTestServer,
  model: string,
  dynamicTools: readonly DynamicTool[],
): Promise<string | undefined> {
  const items: readonly ResponseItem[] = [
    developerMessage('Instructions of the caller.'),
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: mentionOf(canary) }] },
  ];
  const before = server.requests.length;
  server.script([attacks(canary)]);
  const started = await process.rpc.call('thread/start', threadStartParams({ model, workDir, dynamicTools }));
  const threadId = threadStarted.parse(started).thread.id;
  const done = turnDone(threadId);
  await process.rpc.call('thread/inject_items', { threadId, items });
  await process.rpc.call('turn/start', { threadId, input: [] });
  await done;
  await process.rpc.call('thread/unsubscribe', { threadId });
  const [first, ...later] = server.requests.slice(before);
  if (first === undefined) return 'the model was not asked';
  const why = differenceFromExpected(first, { items, tools: dynamicTools }) ?? leakInLaterRequests(later, canary);
  if (why !== undefined) return why;
  if (existsSync(canary.trace)) return 'a command was run, or a patch was applied';
  return (await readFile(canary.file, 'utf8')) === canary.secret ? undefined : 'a file was changed';
}
