import { z } from 'zod';
import { modelNameSchema } from './model-name.ts';

/** `POST /v1/embeddings`, the request: one text, several, the tokens of one text, or the tokens of several. */
export const embeddingsRequestSchema = z.looseObject({
  model: modelNameSchema,
  input: z.union([
    z.string().min(1),
    z.array(z.string()).min(1).max(2048),
    z.array(z.number().int()).min(1),
    z.array(z.array(z.number().int()).min(1)).min(1).max(2048),
  ]),
  dimensions: z.number().int().min(1).nullish(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  user: z.string().nullish(),
});
