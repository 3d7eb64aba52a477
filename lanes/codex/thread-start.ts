import type { DynamicTool } from './translate-tools.ts';

/**
 * The parameters of `thread/start`, in one place: the self-test must start its threads exactly as those that serve callers.
 * @param workDir the empty folder that the thread is told to be in
 */
export function threadStartParams(options: {
  readonly model: string;
  readonly workDir: string;
  readonly dynamicTools: readonly DynamicTool[];
  readonly verbosity?: string | undefined;
}): Readonly<Record<string, unknown>> {
  return {
    // Nothing of a prompt on disk.
    ephemeral: true,
    // No machine to act on.
    environments: [],
    approvalPolicy: 'never',
    sandbox: 'read-only',
    cwd: options.workDir,
    model: options.model,
    // Always empty: null would bring in the CLI's own prompt (measured), whatever the catalogue says.
    baseInstructions: '',
    dynamicTools: options.dynamicTools,
    // Without raw events nobody says that the model's response is complete before its tool calls are acted on.
    experimentalRawEvents: true,
    ...(options.verbosity === undefined ? {} : { config: { model_verbosity: options.verbosity } }),
  };
}
