import type { FastifyInstance } from 'fastify';
import { ApiError } from '../../core/errors.ts';
import type { LaneDirectory } from '../../lanes/policy/lane-directory.ts';

/** `GET /v1/models` and `GET /v1/models/{id}`: what the key's lanes and the owner's routes serve. */
export function registerModelRoutes(app: FastifyInstance, { directory }: { directory: LaneDirectory }): void {
  app.get('/v1/models', async (request) => {
    const models = await directory.models(request.caller);
    return { object: 'list', data: models.map(modelObject) };
  });

  // Names of models contain slashes at some providers: everything behind the prefix is the name.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async (request) => {
    const model = request.params['*'];
    if (!(await directory.models(request.caller)).includes(model)) {
      throw new ApiError(
        'model_not_found',
        `The model '${model}' does not exist here, or no lane serves it. See GET /v1/models.`,
        {
          param: 'model',
        },
      );
    }
    return modelObject(model);
  });
}

/** `created` is when a provider published the model: unknown here, and required by OpenAI's shape. */
function modelObject(id: string) {
  return { id, object: 'model', created: 0, owned_by: 'flatlane' } as const;
}
