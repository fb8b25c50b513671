/** The server's own certificate: from files that somebody else renews (cert-manager), or made at start. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createCertificateAuthority } from '@canal/certificate';

export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
  /** PEM of the authority that clients trust, when the certificate was made here. */
  readonly authority?: string;
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Names the file and never its content. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** Throws CertificateError when a file is missing, cannot be read, or the key is not the certificate's. */
export function readCertificate({ certFile, keyFile }: CertificateFiles): ServerCertificate {
  const [cert, key] = [readText(certFile), readText(keyFile)];
  const first = parsed(certFile, 'certificate in PEM', () => new X509Certificate(cert));
  const privateKey = parsed(keyFile, 'private key in PEM', () => createPrivateKey(key));
  if (!first.checkPrivateKey(privateKey)) throw new CertificateError(`${keyFile} is not the key of ${certFile}`);
  return { cert, key };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new CertificateError(`${path} cannot be read: ${code}`);
  }
}

/** The runtime's own words may repeat what stands in the file. */
function parsed<T>(path: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new CertificateError(`${path} is no ${what}`);
  }
}

/**
 * A certificate of an authority that exists for it alone: its key is gone when this returns. Clients trust the
 * authority's certificate, which is written to a file when one is given.
 */
export function makeCertificate(hosts: readonly string[], authorityFile: string | undefined): ServerCertificate {
  const authority = createCertificateAuthority({ commonName: 'canal admin API' });
  const { certPem, keyPem } = authority.issueServer({ hosts });
  if (authorityFile !== undefined) {
    try {
      writeFileSync(authorityFile, authority.certPem, { mode: 0o644 });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unwritable';
      throw new CertificateError(`${authorityFile} cannot be written: ${code}`);
    }
  }
  return { cert: `${certPem}${authority.certPem}`, key: keyPem, authority: authority.certPem };
}
