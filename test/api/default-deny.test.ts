import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, APP_KEY, createApiWorld, type ApiWorld } from '../support/api-world.ts';

/** The only routes that need no key. */
const PUBLIC = ['GET /livez', 'HEAD /livez', 'GET /readyz', 'HEAD /readyz'];

let api: ApiWorld;
beforeAll(async () => {
  api = await createApiWorld();
});
afterAll(() => api.close());

interface Refusal {
  readonly status: number;
  readonly code: string | null;
}

async function ask(app: FastifyInstance, route: string, authorization?: string): Promise<Refusal> {
  const [method = '', url = ''] = route.split(' ');
  const response = await app.inject({
    method: method as 'GET',
    url: url.replace(':id', 'some-id').replace('*', 'some/name'),
    headers: authorization === undefined ? {} : { authorization },
  });
  const body = response.body === '' ? null : (JSON.parse(response.body) as { error?: { code: string | null } });
  return { status: response.statusCode, code: body?.error?.code ?? null };
}

/** What a request of this route gets; a HEAD has the status alone. */
const refused = (route: string, status: number, code: string): Refusal => ({
  status,
  code: route.startsWith('HEAD') ? null : code,
});

const BAD_KEYS = [
  undefined,
  'Bearer ',
  'Bearer sk-fl-unknown',
  `Basic ${Buffer.from(`:${APP_KEY}`).toString('base64')}`,
  APP_KEY,
  `Bearer ${APP_KEY} ${APP_KEY}`,
  `Bearer ${'x'.repeat(600)}`,
];

describe('the public port', () => {
  it('has the routes that are meant, and these tests see all of them', () => {
    expect(api.publicRoutes.toSorted()).toEqual(
      [
        ...PUBLIC,
        'GET /v1/models',
        'HEAD /v1/models',
        'GET /v1/models/*',
        'HEAD /v1/models/*',
        'POST /v1/chat/completions',
        'POST /v1/responses',
        'POST /v1/embeddings',
        'POST /v1/files',
        'GET /v1/files',
        'HEAD /v1/files',
        'GET /v1/files/:id',
        'HEAD /v1/files/:id',
        'GET /v1/files/:id/content',
        'HEAD /v1/files/:id/content',
        'DELETE /v1/files/:id',
        'POST /v1/uploads',
        'POST /v1/uploads/:id/parts',
        'POST /v1/uploads/:id/complete',
        'POST /v1/uploads/:id/cancel',
        'POST /v1/batches',
        'GET /v1/batches',
        'HEAD /v1/batches',
        'GET /v1/batches/:id',
        'HEAD /v1/batches/:id',
        'POST /v1/batches/:id/cancel',
        'POST /v1/batches/:id/pause',
        'POST /v1/batches/:id/resume',
        'GET /v1/batches/:id/control',
        'HEAD /v1/batches/:id/control',
        'POST /v1/batches/:id/control',
        'GET /v1/batches/:id/progress',
        'GET /v1/batches/:id/results',
        'POST /v1/batches/:id/retry',
        'POST /v1/batches/quote',
        'GET /v1/batches/:id/quote',
        'HEAD /v1/batches/:id/quote',
      ].toSorted(),
    );
  });

  it.each(BAD_KEYS)('refuses every other route with the header %j', async (authorization) => {
    const demanding = api.publicRoutes.filter((route) => !PUBLIC.includes(route));
    for (const route of demanding) {
      expect([route, await ask(api.publicApp, route, authorization)]).toEqual([
        route,
        refused(route, 401, 'invalid_api_key'),
      ]);
    }
  });

  it('needs no key for the two health routes, and says nothing but that it lives', async () => {
    for (const route of PUBLIC) expect([route, (await ask(api.publicApp, route)).status]).toEqual([route, 200]);
    const { body } = await api.publicApp.inject({ url: '/readyz' });
    expect(JSON.parse(body)).toEqual({ status: 'ok', mongodb: 'ok' });
  });

  it('tells nobody without a key whether a path exists', async () => {
    for (const route of [
      'GET /',
      'GET /admin/keys',
      'POST /v1/nothing',
      'GET /livez/x',
      'GET /LIVEZ',
      'OPTIONS /v1/models',
    ]) {
      expect([route, (await ask(api.publicApp, route)).status]).toEqual([route, 401]);
    }
    expect(await ask(api.publicApp, 'POST /v1/nothing', `Bearer ${APP_KEY}`)).toEqual({ status: 404, code: null });
  });

  it('has none of the admin routes, not even for an admin', async () => {
    for (const route of api.adminRoutes) {
      expect([route, (await ask(api.publicApp, route, `Bearer ${ADMIN_KEY}`)).status]).toEqual([route, 404]);
    }
  });

  it('lets a known key in', async () => {
    expect(await ask(api.publicApp, 'GET /v1/models', `Bearer ${APP_KEY}`)).toMatchObject({ status: 200 });
    expect(await ask(api.publicApp, 'GET /v1/models', `bearer ${APP_KEY}`)).toMatchObject({ status: 200 });
  });
});

describe('the admin port', () => {
  it('has routes, all below /admin/, and none that is public', () => {
    expect(api.adminRoutes.length).toBeGreaterThan(10);
    expect(api.adminRoutes.filter((route) => !route.includes(' /admin/'))).toEqual([]);
  });

  it.each(BAD_KEYS)('refuses every route with the header %j', async (authorization) => {
    for (const route of api.adminRoutes) {
      expect([route, await ask(api.adminApp, route, authorization)]).toEqual([
        route,
        refused(route, 401, 'invalid_api_key'),
      ]);
    }
  });

  it('refuses every route to a key that is no admin’s', async () => {
    for (const route of [...api.adminRoutes, 'GET /admin/nothing']) {
      expect([route, await ask(api.adminApp, route, `Bearer ${APP_KEY}`)]).toEqual([
        route,
        refused(route, 403, 'insufficient_permissions'),
      ]);
    }
  });

  it('lets an admin in, and shows no secret', async () => {
    const { statusCode, body } = await api.adminApp.inject({
      url: '/admin/keys',
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ data: [{ id: 'key_app' }, { id: 'key_admin' }] });
    expect(body).not.toMatch(/sk-fl-|_id|[0-9a-f]{64}/);
  });
});
