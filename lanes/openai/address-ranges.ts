import { BlockList, isIP } from 'node:net';

/** Whether an IP address belongs to the public internet. What is not known to be public counts as private. */

/** IANA's special-purpose registry for IPv4: own network, private, shared, loopback, link-local with the metadata services, and what is never a host. */
const NOT_PUBLIC_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Parts of 2000::/3 that are no hosts, or that carry an IPv4 address inside (Teredo in 2001::/23, 6to4). */
const NOT_PUBLIC_IPV6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

function blockListOf(ranges: readonly (readonly [string, number])[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, family);
  return list;
}

const notPublicIpv4 = blockListOf(NOT_PUBLIC_IPV4, 'ipv4');
const notPublicIpv6 = blockListOf(NOT_PUBLIC_IPV6, 'ipv6');
/** Global unicast; so loopback, unique-local, link-local, NAT64 and IPv4 in IPv6's clothes are out by being elsewhere. */
const globalUnicastIpv6 = blockListOf([['2000::', 3]], 'ipv6');

/** @param address an IP address without brackets. Anything else is not public. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublicIpv4.check(address, 'ipv4');
    case 6:
      return globalUnicastIpv6.check(address, 'ipv6') && !notPublicIpv6.check(address, 'ipv6');
    default:
      return false;
  }
}
