import { z } from 'zod';

/**
 * Names of models go into indexes, summaries and histories. A lane that serves any model would take one of megabytes, which no
 * history does; owners' own names have as many characters at most.
 */
export const MAX_MODEL_CHARACTERS = 200;

export const modelNameSchema = z.string().min(1).max(MAX_MODEL_CHARACTERS);
