import { CliError } from './cli-error.ts';

/** What a template can be made of without a file. */
export interface PromptOptions {
  readonly endpoint: string;
  readonly model?: string;
  readonly prompt?: string;
}

/**
 * The template of one prompt for one model, as the endpoint wants it; undefined when no prompt is given.
 * @throws CliError when only one of the two is given, or the endpoint is not known here
 */
export function promptTemplate({ endpoint, model, prompt }: PromptOptions): unknown {
  if (prompt === undefined && model === undefined) return undefined;
  if (prompt === undefined || model === undefined) throw new CliError('--prompt and --model belong together.');
  return { body: { model, ...bodyOf(endpoint, prompt) } };
}

function bodyOf(endpoint: string, prompt: string): object {
  switch (endpoint) {
    case '/v1/chat/completions':
      return { messages: [{ role: 'user', content: prompt }] };
    case '/v1/responses':
    case '/v1/embeddings':
      return { input: prompt };
    default:
      throw new CliError(`--prompt makes no template for ${endpoint}: use --template.`);
  }
}
