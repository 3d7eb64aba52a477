import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CompletionCall } from '../../api/completions/run-completion.ts';
import { textOf } from '../../core/wire/written-text.ts';
import { APP_KEY, createApiWorld, type ApiWorld } from '../support/api-world.ts';
import { plantLaneDoc } from '../support/planted.ts';

let api: ApiWorld;
let calls: CompletionCall[];
beforeAll(async () => {
  api = await createApiWorld();
});
afterAll(() => api.close());
beforeEach(() => {
  calls = [];
  api.world.lanes = [plantLaneDoc('k', { models: ['m'] })];
  api.world.runCompletion = async (call) => {
    calls.push(call);
    return { type: 'failed', status: 400, body: '{}', attempts: 1 };
  };
});

const post = (path: string, payload: string) =>
  api.publicApp.inject({
    method: 'POST',
    url: `/v1${path}`,
    headers: { authorization: `Bearer ${APP_KEY}`, 'content-type': 'application/json' },
    payload,
  });

/** Numbers and names that no parsed body keeps. */
const ODD = '"b": 1.0, "10":{"maximum" : 9223372036854775807}, "é":12345678901234567890';

describe('a body', () => {
  it.each([
    ['/chat/completions', `{"model":"m","messages":[ {"role":"user","content":"hi"} ], ${ODD}}`],
    ['/responses', `{"model":"m","input":"hi", ${ODD}}`],
    ['/embeddings', `{"model":"m","input":["hi"], ${ODD}}`],
  ])('of %s goes on as it was written', async (path, text) => {
    await post(path, text);
    expect(textOf(calls[0]?.body)).toBe(text);
  });

  it.each(['1e400', '-1e999', '9'.repeat(400)])(
    'with the number %s is refused, and not sent as null',
    async (number) => {
      const text = `{"model":"m","messages":[{"role":"user","content":"hi"}],"x":[${number}]}`;
      const response = await post('/chat/completions', text);
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ error: { type: 'invalid_request_error', code: null } });
      expect(calls).toEqual([]);
    },
  );
});
