import { Agent } from 'undici';
import { createCheckedLookup, type AddressRules } from './check-address.ts';

/** A lane's concurrency is its owner's to set and checked elsewhere; this only bounds the sockets of one process. */
const MAX_CONNECTIONS = 256;

/** A provider that takes no connection in this time is better replaced by the next lane. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * An idle connection is closed after this long, unless the provider names its own time. Shorter than the 5 s of common model
 * servers, for a request on a connection that is just being closed there fails.
 */
const KEEP_ALIVE_MS = 4_000;

/** The longest keep-alive that a provider may ask for. */
const LONGEST_KEEP_ALIVE_MS = 60_000;

/**
 * The connections of one lane. undici follows no redirects; its time-outs for headers and body are off, for an attempt has one
 * deadline that covers everything.
 */
export function createConnectionPool(rules: AddressRules): Agent {
  return new Agent({
    connections: MAX_CONNECTIONS,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: LONGEST_KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS, lookup: createCheckedLookup(rules) },
  });
}
