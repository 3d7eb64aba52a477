import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../lanes/openai/address-ranges.ts';

describe('isPublicAddress', () => {
  it.each(['8.8.8.8', '104.18.7.192', '172.15.255.255', '172.32.0.1', '2606:4700::6812:7c0', '2a00:1450:4001::1'])(
    'takes %s as public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'fd00:ec2::254',
    '2001:db8::1',
    '2002:7f00:1::',
    '2001:0:4136:e378::',
    'localhost',
    '',
  ])('takes %j as not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});
