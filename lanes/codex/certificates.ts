import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Where systems keep all the authorities that they trust in one file: Debian and Alpine, Fedora, macOS and the BSDs. */
const BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

/**
 * Has the CLI read the trusted authorities from one file. It reads them anew for every thread, and by default from a folder of
 * some 140 files beside the bundle with the same content: that was a third of its CPU time (36 ms a completion with it,
 * 23 to 26 ms without). What its owner has set stays, but for the system's own folder beside the system's own bundle; where no
 * bundle is known nothing is changed.
 * @param emptyDir an empty folder, which stands in for the folder of authorities
 */
export function certificateEnvironment(
  environment: Readonly<Record<string, string>>,
  emptyDir: string,
  exists: (path: string) => boolean = existsSync,
): Record<string, string> {
  const bundle = environment['SSL_CERT_FILE'] ?? BUNDLES.find(exists);
  const folder = environment['SSL_CERT_DIR'];
  const isSystems = bundle !== undefined && BUNDLES.includes(bundle) && folder === dirname(bundle);
  if (folder !== undefined && !isSystems) return {};
  return bundle === undefined ? {} : { SSL_CERT_FILE: bundle, SSL_CERT_DIR: emptyDir };
}
