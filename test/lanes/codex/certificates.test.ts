import { expect, it } from 'vitest';
import { certificateEnvironment } from '../../../lanes/codex/certificates.ts';

const nothing = (): boolean => false;

it.each([
  [
    'takes the bundle of the system',
    {},
    (path: string) => path === '/etc/ssl/cert.pem',
    { SSL_CERT_FILE: '/etc/ssl/cert.pem', SSL_CERT_DIR: '/empty' },
  ],
  [
    'keeps the file that its owner named',
    { SSL_CERT_FILE: '/mine.pem' },
    nothing,
    { SSL_CERT_FILE: '/mine.pem', SSL_CERT_DIR: '/empty' },
  ],
  ['leaves a folder that its owner named alone', { SSL_CERT_DIR: '/mine' }, () => true, {}],
  [
    'does without the folder beside the bundle',
    { SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt', SSL_CERT_DIR: '/etc/ssl/certs' },
    nothing,
    { SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt', SSL_CERT_DIR: '/empty' },
  ],
  [
    'keeps the folder of the system beside a file of its owner',
    { SSL_CERT_FILE: '/mine.pem', SSL_CERT_DIR: '/etc/ssl/certs' },
    () => true,
    {},
  ],
  ['changes nothing where no bundle is known', {}, nothing, {}],
])('%s', (_title, environment, exists, expected) => {
  expect(certificateEnvironment(environment, '/empty', exists)).toEqual(expected);
});
