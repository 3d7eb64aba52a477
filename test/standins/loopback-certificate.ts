import { generate } from 'selfsigned';

const ONE_DAY_MS = 86_400_000;

export interface LoopbackCertificate {
  readonly key: string;
  readonly cert: string;
  /** What a client must trust. */
  readonly ca: string;
}

/** A certificate for localhost, signed by a certificate authority that is made for it and thrown away. */
export async function createLoopbackCertificate(): Promise<LoopbackCertificate> {
  const dates = { notBeforeDate: new Date(Date.now() - ONE_DAY_MS), notAfterDate: new Date(Date.now() + ONE_DAY_MS) };
  const common = { ...dates, keyType: 'ec', algorithm: 'sha256' } as const;
  const authority = await generate([{ name: 'commonName', value: 'flatlane stand-in authority' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const leaf = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key: leaf.private, cert: leaf.cert, ca: authority.cert };
}
