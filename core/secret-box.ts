import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** Seals secrets of the owner (provider keys) and hashes sub-keys, with keys derived from one master key. */
export interface SecretBox {
  /** Seals a text for one place (collection, id and field), so that a sealed value moved elsewhere does not open. */
  seal(text: string, place: string): string;
  /** Opens what `seal` made. Throws if the place, the master key or the value is not the one it was sealed with. */
  open(sealed: string, place: string): string;
  /** HMAC-SHA-256 of a sub-key, hex: the only form in which it is stored. */
  hashKey(key: string): string;
}

const MASTER_KEY_BYTES = 32;
const NONCE_BYTES = 12;

/** A fresh master key as text, for the first start. */
export function newMasterKey(): string {
  return randomBytes(MASTER_KEY_BYTES).toString('base64');
}

/**
 * @param masterKeyText base64 of 32 random bytes; anything shorter, or without variety, is refused.
 * @throws Error that says how to make a good one.
 */
export function createSecretBox(masterKeyText: string): SecretBox {
  const masterKey = Buffer.from(masterKeyText, 'base64');
  if (masterKey.length !== MASTER_KEY_BYTES || new Set(masterKey).size < 12) {
    throw new Error('The master key must be 32 random bytes in base64. Make one with: openssl rand -base64 32');
  }
  const derive = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', masterKey, '', `flatlane ${purpose} v1`, 32));
  const sealingKey = derive('sealing');
  const hashingKey = derive('sub-key hash');
  const keyId = createHash('sha256').update(sealingKey).digest('hex').slice(0, 8);
  return {
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce).setAAD(Buffer.from(place));
      const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return ['v1', keyId, ...[nonce, cipher.getAuthTag(), data].map((part) => part.toString('base64url'))].join('.');
    },
    open(sealed, place) {
      const [version, sealedWith, nonce, tag, data] = sealed.split('.');
      if (version !== 'v1' || nonce === undefined || tag === undefined || data === undefined) {
        throw new Error('A sealed secret has an unknown form.');
      }
      if (sealedWith !== keyId) {
        throw new Error(
          `A secret was sealed with master key ${sealedWith}, and this process has ${keyId}. Start it with the master key it was sealed with.`,
        );
      }
      const decipher = createDecipheriv('aes-256-gcm', sealingKey, Buffer.from(nonce, 'base64url'), {
        authTagLength: 16,
      })
        .setAAD(Buffer.from(place))
        .setAuthTag(Buffer.from(tag, 'base64url'));
      return Buffer.concat([decipher.update(Buffer.from(data, 'base64url')), decipher.final()]).toString('utf8');
    },
    hashKey: (key) => createHmac('sha256', hashingKey).update(key).digest('hex'),
  };
}
