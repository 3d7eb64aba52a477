import { describe, expect, it } from 'vitest';
import { createSecretBox, newMasterKey } from '../../core/secret-box.ts';

const SECRET = 'sk-provider-0123456789 äöü';
const PLACE = 'lanes/abc/apiKey';

/** The parts of a sealed secret, by their place in `v1.<keyId>.<nonce>.<tag>.<data>`. */
const PARTS = { keyId: 1, nonce: 2, tag: 3, data: 4 } as const;

/** Changes one bit of a part, and leaves its form as it was. */
function tamper(sealed: string, part: number): string {
  const parts = sealed.split('.');
  const bytes = Buffer.from(parts[part]!, 'base64url');
  bytes[0] = bytes[0]! ^ 1;
  parts[part] = bytes.toString('base64url');
  return parts.join('.');
}

describe('the secret box', () => {
  const box = createSecretBox(newMasterKey());

  it.each([SECRET, '', 'x'.repeat(100_000)])('opens what it has sealed', (text) => {
    expect(box.open(box.seal(text, PLACE), PLACE)).toBe(text);
  });

  it('opens what another box with the same master key has sealed', () => {
    const masterKey = newMasterKey();
    const sealed = createSecretBox(masterKey).seal(SECRET, PLACE);
    expect(createSecretBox(masterKey).open(sealed, PLACE)).toBe(SECRET);
  });

  it('seals in the stored form, without the text and never the same way twice', () => {
    const sealed = box.seal(SECRET, PLACE);
    expect(sealed).toMatch(/^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]+$/);
    expect(Buffer.from(sealed.split('.')[PARTS.data]!, 'base64url').toString('latin1')).not.toContain('provider');
    expect(box.seal(SECRET, PLACE)).not.toBe(sealed);
  });

  it('does not open a secret in another place', () => {
    expect(() => box.open(box.seal(SECRET, PLACE), 'lanes/abd/apiKey')).toThrow();
  });

  it('names both master keys when a secret was sealed with another one', () => {
    const other = createSecretBox(newMasterKey()).seal(SECRET, PLACE);
    const [, theirs] = other.split('.');
    const [, ours] = box.seal(SECRET, PLACE).split('.');
    expect(() => box.open(other, PLACE)).toThrow(new RegExp(`master key ${theirs}, and this process has ${ours}`));
  });

  it.each(['nonce', 'tag', 'data'] as const)('does not open a secret of which the %s was changed', (part) => {
    const sealed = box.seal(SECRET, PLACE);
    expect(box.open(sealed, PLACE)).toBe(SECRET);
    expect(() => box.open(tamper(sealed, PARTS[part]), PLACE)).toThrow();
  });

  it('does not open a secret whose tag was cut short', () => {
    const parts = box.seal(SECRET, PLACE).split('.');
    parts[PARTS.tag] = Buffer.from(parts[PARTS.tag]!, 'base64url').subarray(0, 4).toString('base64url');
    expect(() => box.open(parts.join('.'), PLACE)).toThrow();
  });

  it.each(['', 'v1', 'v1.a.b.c', 'v2.a.b.c.d', SECRET])('refuses %j, which is no sealed secret', (text) => {
    expect(() => box.open(text, PLACE)).toThrow('unknown form');
  });

  it.each([
    { title: 'an empty text', masterKey: '' },
    { title: 'a password', masterKey: 'correct horse battery staple' },
    { title: '31 bytes', masterKey: Buffer.from(newMasterKey(), 'base64').subarray(1).toString('base64') },
    {
      title: '33 bytes',
      masterKey: Buffer.concat([Buffer.from(newMasterKey(), 'base64'), Buffer.of(1)]).toString('base64'),
    },
    { title: '32 times the same byte', masterKey: Buffer.alloc(32, 7).toString('base64') },
    {
      title: 'a pattern',
      masterKey: Buffer.from('0123456701234567012345670123456701234567'.slice(0, 32)).toString('base64'),
    },
  ])('refuses $title as a master key and says how to make one', ({ masterKey }) => {
    expect(() => createSecretBox(masterKey)).toThrow('openssl rand -base64 32');
  });

  it('accepts every master key that it makes', () => {
    for (let round = 0; round < 500; round += 1) createSecretBox(newMasterKey());
  });

  it('hashes a sub-key the same way under the same master key, and differently under another', () => {
    const masterKey = newMasterKey();
    const hash = createSecretBox(masterKey).hashKey('sk-fl-1');
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(createSecretBox(masterKey).hashKey('sk-fl-1')).toBe(hash);
    expect(createSecretBox(masterKey).hashKey('sk-fl-2')).not.toBe(hash);
    expect(box.hashKey('sk-fl-1')).not.toBe(hash);
  });
});
