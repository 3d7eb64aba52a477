import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_KEY, createApiWorld, type ApiWorld } from '../support/api-world.ts';

let api: ApiWorld;
beforeAll(async () => {
  api = await createApiWorld();
});
afterAll(() => api.close());

/** A few hundred bytes that unfold to ten million. */
const bomb = gzipSync(Buffer.alloc(10_000_000, ' '));

describe('a packed body', () => {
  it.each(['gzip', 'br', 'deflate', 'GZIP', 'gzip, gzip', 'zstd'])(
    'in %s is refused on every route that takes one, before anything is unpacked',
    async (encoding) => {
      const routes = [
        ...api.publicRoutes.map((route) => [api.publicApp, route] as const),
        ...api.adminRoutes.map((route) => [api.adminApp, route] as const),
      ].filter(([, route]) => route.startsWith('POST ') || route.startsWith('PUT ') || route.startsWith('PATCH '));
      expect(routes.length).toBeGreaterThan(10);
      for (const [app, route] of routes) {
        const [method = '', url = ''] = route.split(' ');
        const response = await app.inject({
          method: method as 'POST',
          url: url.replace(':id', 'some-id'),
          headers: {
            authorization: `Bearer ${ADMIN_KEY}`,
            'content-type': url.startsWith('/v1/files') ? 'multipart/form-data; boundary=b' : 'application/json',
            'content-encoding': encoding,
          },
          payload: bomb,
        });
        expect([route, response.statusCode]).toEqual([route, 415]);
        expect(response.json()).toMatchObject({ error: { code: 'unsupported_media_type', param: 'content-encoding' } });
      }
    },
  );

  it('that is not packed may say so', async () => {
    const response = await api.publicApp.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-encoding': 'identity' },
      payload: {},
    });
    expect(response.statusCode).toBe(400);
  });
});
