import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../core/errors.ts';
import { checkWebhookUrl, parseWebhookUrl } from '../../../lanes/webhooks/webhook-address.ts';

const STRICT = { allowPrivateAddresses: false };
const OPEN = { allowPrivateAddresses: true };

describe('parseWebhookUrl', () => {
  it.each(['https://app.example.com/hook?token=x', 'https://8.8.8.8:8443/'])('takes %s', (given) => {
    expect(parseWebhookUrl(given, STRICT).href).toBe(given);
  });

  it.each([
    'app.example.com/hook',
    'http://app.example.com/hook',
    'ftp://app.example.com',
    'https://user:secret@app.example.com/',
    'https://app.example.com/#secret',
    'https://127.0.0.1/secret',
    'https://10.0.0.1/secret',
    'https://[::1]/secret',
    'https://[::ffff:192.168.0.1]/secret',
    'https://0x7f.1/secret',
    'https://169.254.169.254/secret',
    'http://localhost/secret',
    'http://127.0.0.1/secret',
  ])('refuses %s, naming the parameter and not the URL', (given) => {
    const refused = (): URL => parseWebhookUrl(given, STRICT);
    expect(refused).toThrow(ApiError);
    expect(refused).toThrow(expect.objectContaining({ errorName: 'invalid_value', param: 'url' }) as Error);
    expect(refused).not.toThrow(/secret/);
  });

  it.each(['http://127.0.0.1:9000/', 'http://localhost:9000/', 'http://[::1]:9000/', 'https://10.0.0.1/'])(
    'takes %s where its owner allows it',
    (given) => {
      expect(parseWebhookUrl(given, OPEN).href).toBe(given);
    },
  );

  it.each(['http://10.0.0.1/', 'http://192.168.1.1:9000/', 'http://localhost.example.com/'])(
    'does not send to %s without TLS, whatever its owner allows',
    (given) => {
      expect(() => parseWebhookUrl(given, OPEN)).toThrow(/https/);
    },
  );
});

describe('checkWebhookUrl', () => {
  it('refuses a name that leads to the own machine', async () => {
    await expect(checkWebhookUrl('https://localhost/hook', STRICT)).rejects.toThrow(/private network/);
    await expect(checkWebhookUrl('https://localhost/hook', OPEN)).resolves.toBeUndefined();
  });

  it('refuses a name that nobody knows', async () => {
    await expect(checkWebhookUrl('https://no-such-host.invalid/hook', OPEN)).rejects.toThrow(/can't be found/);
  });
});
