import { tokensOf } from '../planned-answer.ts';

export interface EmbeddingsBody {
  readonly model?: string;
  readonly input?: string | readonly (string | number | readonly number[])[];
  readonly dimensions?: number;
  readonly encoding_format?: 'float' | 'base64';
}

const DEFAULT_DIMENSIONS = 8;

/** The answer to `POST /v1/embeddings`: a unit vector that is the same for the same text. */
export function embed(body: EmbeddingsBody): object {
  const texts = textsOf(body.input ?? '');
  const tokens = tokensOf(texts.reduce((sum, text) => sum + text.length, 0));
  return {
    object: 'list',
    model: body.model,
    data: texts.map((text, index) => ({ object: 'embedding', index, embedding: encode(vectorOf(text, body), body) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** One text, several, the tokens of one text, or the tokens of several. */
function textsOf(input: NonNullable<EmbeddingsBody['input']>): readonly string[] {
  if (typeof input === 'string') return [input];
  if (typeof input[0] === 'number') return [input.join(' ')];
  return input.map((one) => (typeof one === 'object' ? one.join(' ') : String(one)));
}

function vectorOf(text: string, { dimensions = DEFAULT_DIMENSIONS }: EmbeddingsBody): Float32Array {
  const vector = new Float32Array(dimensions);
  vector[0] = 1;
  for (let at = 0; at < text.length; at += 1) {
    const slot = at % dimensions;
    vector[slot] = (vector[slot] ?? 0) + text.charCodeAt(at);
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function encode(vector: Float32Array, { encoding_format: format }: EmbeddingsBody): string | number[] {
  return format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector];
}
