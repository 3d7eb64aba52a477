import { lookup as lookupCallback } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { ApiError } from '../../core/errors.ts';
import { isPublicAddress } from './address-ranges.ts';

export interface AddressRules {
  /** True lets a lane connect to private, loopback and link-local addresses: a model server of the owner's own. */
  readonly allowPrivateAddresses: boolean;
}

/**
 * Checks the form of a provider's base URL: http or https, no user name or password, no fragment, no private IP address.
 * A query is kept (some providers want a version there).
 * @returns the URL without slashes at the end of its path.
 * @throws ApiError invalid_value that says what is wrong with it.
 */
export function parseBaseUrl(baseUrl: string, { allowPrivateAddresses }: AddressRules): URL {
  if (!URL.canParse(baseUrl)) throw refusal('is no URL. It looks like https://api.openai.com/v1');
  const url = new URL(baseUrl);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refusal('must begin with https:// or http://');
  if (url.username !== '' || url.password !== '') throw refusal('must not hold a user name or password');
  if (url.hash !== '') throw refusal('must not have a fragment (#…)');
  if (!allowPrivateAddresses && isIP(hostOf(url)) !== 0 && !isPublicAddress(hostOf(url))) throw privateRefusal();
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/**
 * Checks a base URL before it is saved: its form, that its name can be found, and that it leads to the public internet.
 * Names can change afterwards, so the lane checks again whenever it connects.
 * @throws ApiError invalid_value that says what is wrong.
 */
export async function checkAddress(baseUrl: string, allowPrivateAddresses: boolean): Promise<void> {
  const url = parseBaseUrl(baseUrl, { allowPrivateAddresses });
  const addresses = await lookup(hostOf(url), { all: true }).catch((cause: unknown) => {
    throw refusal(`has a host name that can't be found (${url.hostname})`, cause);
  });
  if (!allowPrivateAddresses && !addresses.every(({ address }) => isPublicAddress(address))) {
    throw privateRefusal();
  }
}

/** Thrown while connecting when a name leads to an address that is not allowed. */
export class AddressRefusedError extends Error {
  constructor() {
    super('The address of the provider leads into a private network.');
    this.name = 'AddressRefusedError';
  }
}

/**
 * The look-up for a lane's connections: resolves once, checks, and hands out the very addresses that were checked, so that
 * no second answer of a name server can slip in between. One private address among several refuses all.
 */
export function createCheckedLookup({ allowPrivateAddresses }: AddressRules): LookupFunction {
  return (hostname, options, callback) => {
    lookupCallback(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const first = addresses[0];
      if (first === undefined) return callback(new Error('The name has no address.'), []);
      if (!allowPrivateAddresses && !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(new AddressRefusedError(), []);
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** IPv6 addresses stand in brackets in a URL. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function refusal(what: string, cause?: unknown): ApiError {
  return new ApiError('invalid_value', `The base URL ${what}.`, { param: 'baseUrl', cause });
}

function privateRefusal(): ApiError {
  return refusal(
    'leads into a private network. Allow private addresses for this lane (--allow-private) if that is meant',
  );
}
