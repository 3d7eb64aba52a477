import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ApiError } from '../../core/errors.ts';
import { isPublicAddress } from '../openai/address-ranges.ts';
import type { AddressRules } from '../openai/check-address.ts';

/** Names and addresses of the own machine: the only ones to which an event may travel without TLS. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/**
 * Checks the form of a receiver's URL: https, or http to the own machine where the owner allows private addresses; no user name
 * or password, no fragment, no private IP address that is not allowed.
 * @throws ApiError invalid_value that says what is wrong with it, and does not repeat it.
 */
export function parseWebhookUrl(text: string, { allowPrivateAddresses }: AddressRules): URL {
  if (!URL.canParse(text)) throw refusal('is no URL. It looks like https://app.example.com/webhooks');
  const url = new URL(text);
  const host = hostOf(url);
  if (url.protocol === 'http:') {
    if (!LOOPBACK.test(host)) throw refusal('must begin with https://');
    if (!allowPrivateAddresses) throw privateRefusal();
  } else if (url.protocol !== 'https:') {
    throw refusal('must begin with https://');
  }
  if (url.username !== '' || url.password !== '') throw refusal('must not hold a user name or password');
  if (url.hash !== '') throw refusal('must not have a fragment (#…)');
  if (!allowPrivateAddresses && isIP(host) !== 0 && !isPublicAddress(host)) throw privateRefusal();
  return url;
}

/**
 * Checks a receiver's URL before it is saved: its form, that its name can be found, and that it leads to the public internet.
 * A name may lead elsewhere later, so what it leads to is checked again by whoever connects.
 * @throws ApiError invalid_value that says what is wrong.
 */
export async function checkWebhookUrl(text: string, rules: AddressRules): Promise<void> {
  const url = parseWebhookUrl(text, rules);
  const addresses = await lookup(hostOf(url), { all: true }).catch((cause: unknown) => {
    throw refusal("has a host name that can't be found", cause);
  });
  if (!rules.allowPrivateAddresses && !addresses.every(({ address }) => isPublicAddress(address))) {
    throw privateRefusal();
  }
}

/** IPv6 addresses stand in brackets in a URL. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

function refusal(what: string, cause?: unknown): ApiError {
  return new ApiError('invalid_value', `The URL of the webhook ${what}.`, { param: 'url', cause });
}

function privateRefusal(): ApiError {
  return refusal(
    'leads into a private network. Allow private addresses for this webhook (--allow-private) if that is meant',
  );
}
