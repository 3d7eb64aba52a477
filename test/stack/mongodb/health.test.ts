import { describe, expect, it } from 'vitest';
import { checkMongodb, hostsOf } from '../../../stack/mongodb/health.ts';

describe('the health check of a MongoDB of yours', () => {
  it.each([
    ['mongodb://one', [{ host: 'one', port: 27_017 }]],
    [
      'mongodb://one:1,two:2/db?replicaSet=rs',
      [
        { host: 'one', port: 1 },
        { host: 'two', port: 2 },
      ],
    ],
    ['mongodb://user:p%40ss@one:1/?tls=true', [{ host: 'one', port: 1 }]],
    ['mongodb://[::1]:5', [{ host: '::1', port: 5 }]],
  ])('reads the hosts of %s', async (uri, hosts) => {
    expect(await hostsOf(uri)).toEqual(hosts);
  });

  it('asks the driver where it is given', async () => {
    const asked: string[] = [];
    await checkMongodb('mongodb://one', async (uri) => void asked.push(uri));
    expect(asked).toEqual(['mongodb://one']);
  });

  it('names the hosts that do not answer, and not the password', async () => {
    const check = checkMongodb('mongodb://user:secret@127.0.0.1:1/', undefined);
    await expect(check).rejects.toThrow(/^nothing listens on 127\.0\.0\.1:1$/);
  });

  it('refuses an address of another kind', async () => {
    await expect(checkMongodb('http://one', undefined)).rejects.toThrow('MONGODB_URI does not begin with mongodb://');
  });
});
