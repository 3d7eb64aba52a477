import type { LookupAddress } from 'node:dns';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../core/errors.ts';
import {
  AddressRefusedError,
  checkAddress,
  createCheckedLookup,
  parseBaseUrl,
} from '../../../lanes/openai/check-address.ts';

const STRICT = { allowPrivateAddresses: false };
const OPEN = { allowPrivateAddresses: true };

describe('parseBaseUrl', () => {
  it.each([
    ['https://api.openai.com/v1', 'https://api.openai.com/v1'],
    ['https://api.openai.com/v1//', 'https://api.openai.com/v1'],
    ['https://x.example/openai/?api-version=2026-01-01', 'https://x.example/openai?api-version=2026-01-01'],
    ['http://8.8.8.8:8080/v1', 'http://8.8.8.8:8080/v1'],
  ])('takes %s', (given, taken) => {
    expect(parseBaseUrl(given, STRICT).href).toBe(taken);
  });

  it.each([
    'api.openai.com',
    'ftp://x.example/v1',
    'file:///etc/passwd',
    'https://user@x.example/v1',
    'https://:secret@x.example/v1',
    'https://x.example/v1#there',
    'http://127.0.0.1/v1',
    'http://2130706433/v1',
    'http://0x7f.1/v1',
    'http://[::1]/v1',
    'http://[::ffff:10.0.0.1]/v1',
    'http://169.254.169.254/latest',
  ])('refuses %s as a value, naming the parameter and not the URL', (given) => {
    const refused = (): URL => parseBaseUrl(given, STRICT);
    expect(refused).toThrow(ApiError);
    expect(refused).toThrow(expect.objectContaining({ errorName: 'invalid_value', param: 'baseUrl' }) as Error);
    expect(refused).not.toThrow(/secret/);
  });

  it('takes a private address where its owner allows it', () => {
    expect(parseBaseUrl('http://127.0.0.1:11434/v1', OPEN).host).toBe('127.0.0.1:11434');
  });
});

describe('checkAddress', () => {
  it('refuses a name that leads to the own machine', async () => {
    await expect(checkAddress('http://localhost:1/v1', false)).rejects.toThrow('private network');
  });

  it('takes it where its owner allows it', async () => {
    await expect(checkAddress('http://localhost:1/v1', true)).resolves.toBeUndefined();
  });

  it('refuses a name that can not be found', async () => {
    await expect(checkAddress('http://nowhere.invalid/v1', true)).rejects.toThrow("can't be found (nowhere.invalid)");
  });
});

describe('createCheckedLookup', () => {
  const find = (
    rules: typeof STRICT,
    all: boolean,
  ): Promise<{ error: Error | null; found: string | LookupAddress[] }> =>
    new Promise((resolve) => {
      createCheckedLookup(rules)('localhost', { all }, (error, found) => resolve({ error, found }));
    });

  it('refuses while connecting, whatever was said when the lane was saved', async () => {
    expect((await find(STRICT, true)).error).toBeInstanceOf(AddressRefusedError);
    expect((await find(STRICT, false)).error).toBeInstanceOf(AddressRefusedError);
  });

  it('hands out the address, or all of them, in the form that was asked for', async () => {
    const { found: one } = await find(OPEN, false);
    const { found: all } = await find(OPEN, true);
    expect(all).toContainEqual({ address: one, family: expect.any(Number) as number });
  });
});
