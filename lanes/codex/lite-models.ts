/**
 * Models that the CLI calls in its lite way. Measured: whatever the caller says, they are told `parallel_tool_calls: false`, and
 * nothing of the detail of an image. The api has to know them without a CLI; a test holds the list against the catalogue of
 * the pinned version.
 */
export const LITE_MODELS: ReadonlySet<string> = new Set([
  'gpt-6-astra',
  'gpt-6.1-sol',
  'gpt-6.1-terra',
  'gpt-6-sol',
  'gpt-6-luna',
  'gpt-5.6-sol',
  'gpt-5.6-terra',
  'gpt-5.6-luna',
  'gpt-daybreak-blue-latest',
  'gpt-daybreak-red-latest',
  'codex-auto-review',
]);
