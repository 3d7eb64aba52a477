import type { ChatRequest } from '../../core/wire/chat-request.ts';
import { fitsStrictMode } from './strict-schema.ts';

/** How an answer's format is asked for: a schema that the model is held to, an instruction, or nothing. */
export interface AnswerFormat {
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly instruction?: string;
  /** True where the answer must be parseable: then nothing but the final message belongs to it. */
  readonly json: boolean;
}

/**
 * The CLI has one way only: `outputSchema`, which reaches the model with `strict: true` whatever it holds (measured), and
 * strict mode refuses what is outside of its own part of JSON Schema. So:
 * - json_schema with `strict: true`, or a schema that strict mode takes anyway: outputSchema;
 * - any other json_schema without strict, which OpenAI itself follows without a guarantee: an instruction;
 * - json_object: an instruction. An open `{type: 'object'}` schema would be refused.
 */
export function translateFormat(format: ChatRequest['response_format']): AnswerFormat {
  switch (format?.type) {
    case undefined:
    case 'text':
      return { json: false };
    case 'json_object':
      return { json: true, instruction: `${JSON_ONLY} The JSON value must be an object.` };
    case 'json_schema': {
      const { schema, strict, name, description } = format.json_schema;
      if (schema === undefined) return { json: true, instruction: JSON_ONLY };
      if (strict === true || fitsStrictMode(schema)) return { json: true, outputSchema: schema };
      const title = [name, description ?? ''].join(' ').trim();
      return {
        json: true,
        instruction: `${JSON_ONLY} It must match this JSON schema (${title}):\n${JSON.stringify(schema)}`,
      };
    }
  }
}

const JSON_ONLY = 'Answer with one valid JSON value and nothing else: no code fence, no words before or after it.';
